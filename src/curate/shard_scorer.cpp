#include "curate/shard_scorer.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

#include "core/check.h"
#include "core/file.h"
#include "core/printable.h"
#include "curate/feature_file.h"
#include "curate/item_judge.h"
#include "curate/layout_features.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

// A block is what is in memory at once: as soon as it has one of these, it is scored.
constexpr size_t kBlockItems = 64;
constexpr uint64_t kBlockTextBytes = 16u << 20;  // of annotations, which take a multiple when parsed

constexpr int kProbeSide = 224;

std::string number(int64_t shard) { return fmt::format("{:06}", shard); }

// An item of a block: the picture is kept for models alone.
struct Seen {
  Judged judged;
  std::vector<float> features;
};

int64_t model_feature_size(const Models& models) {
  for (const auto& model : models) {
    if (model->feature_size() > 0) return model->feature_size();
  }
  return 0;
}

Seen see_item(const Item& item, const CurateConfig& config, const Models& models) {
  Seen seen{judge_item(item, config), {}};
  Judged& judged = seen.judged;
  if (judged.row.reason.empty() && model_feature_size(models) == 0)
    seen.features = layout_features(judged.picture, judged.row.likeness->thumb);
  if (models.empty()) judged.picture = {};
  return seen;
}

// The first of `items`, as many as memory takes but one at least.
std::vector<Seen> see_block(const std::vector<Item>& items, const CurateConfig& config, const Models& models,
                            uint64_t picture_bytes) {
  std::vector<Seen> seen(items.size());
  std::atomic<size_t> next{0};
  std::atomic<uint64_t> held{0};
  std::mutex failing;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      while (held < picture_bytes) {
        const size_t i = next++;
        if (i >= items.size()) return;
        seen[i] = see_item(items[i], config, models);
        held += seen[i].judged.picture.rgb.size();
      }
    } catch (...) {
      const std::lock_guard lock(failing);
      failure = std::current_exception();
    }
  };
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  const int64_t workers = config.workers > 0 ? config.workers : cores;
  {
    std::vector<std::jthread> threads;
    for (int64_t t = 1; t < std::min<int64_t>(workers, std::ssize(items)); ++t) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  seen.resize(std::min(next.load(), items.size()));
  return seen;
}

// Whether the model can look at anything: a plain picture of a common size.
bool looks_at_all(PictureModel& model) {
  media::Frame grey{kProbeSide, kProbeSide, {}, 0};
  grey.rgb.assign(static_cast<size_t>(kProbeSide) * kProbeSide * 3, 128);
  try {
    return model.look({{&grey, "A grey picture."}}).size() == 1;
  } catch (const std::exception&) {
    return false;
  }
}

std::vector<Impression> look_at(PictureModel& model, const std::vector<Sighting>& seen) {
  std::vector<Impression> impressions = model.look(seen);
  VL3_CHECK(impressions.size() == seen.size(), kInternal, "a model looked at {} of {} items",
            impressions.size(), seen.size());
  return impressions;
}

bool is_cancelled(const std::exception& error) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  return ours != nullptr && ours->code() == ErrorCode::kCancelled;
}

// A picture that the model cannot take (an extreme shape) has no impression, and its row says why. What no
// picture is at fault for stops the run with the model's own error: a batch of which each passes alone, a
// model that fails with everything, a plain picture included, and memory that is short for each of several.
std::vector<Impression> look_at_each(PictureModel& model, const std::vector<Sighting>& seen,
                                     const std::vector<ScoreRow*>& rows) {
  std::exception_ptr first;
  try {
    return look_at(model, seen);
  } catch (const std::exception& error) {
    if (is_cancelled(error)) throw;
    first = std::current_exception();
  }
  std::vector<Impression> impressions(seen.size());
  size_t failed = 0;
  bool own_words = true;  // all of them are errors of ours, which tell a picture's fault
  for (size_t i = 0; i < seen.size(); ++i) {
    try {
      impressions[i] = look_at(model, {seen[i]})[0];
    } catch (const std::exception& error) {
      if (is_cancelled(error)) throw;
      own_words = own_words && dynamic_cast<const Error*>(&error) != nullptr;
      std::string& detail = rows[i]->detail;
      detail +=
          (detail.empty() ? "" : "; ") + printable(fmt::format("no model's score: {:.300}", error.what()));
      ++failed;
    }
  }
  const bool several = seen.size() > 1;
  if (failed == 0 || (failed == seen.size() && ((several && !own_words) || !looks_at_all(model))))
    std::rethrow_exception(first);
  return impressions;
}

void apply_models(std::vector<Seen>* block, Models& models) {
  std::vector<Sighting> sightings;
  std::vector<ScoreRow*> rows;
  std::vector<Seen*> seen;
  for (Seen& one : *block) {
    if (!one.judged.row.reason.empty()) continue;
    sightings.push_back({&one.judged.picture, one.judged.row.caption});
    rows.push_back(&one.judged.row);
    seen.push_back(&one);
  }
  if (sightings.empty()) return;
  for (const auto& model : models) {
    std::vector<Impression> impressions = look_at_each(*model, sightings, rows);
    for (size_t k = 0; k < rows.size(); ++k) {
      rows[k]->scores.merge(impressions[k].scores);
      if (seen[k]->features.empty()) seen[k]->features = std::move(impressions[k].features);
    }
  }
}

// Items of one shard to its two files, block by block. The rows appear last: a shard is there when they are.
class ShardWriter {
 public:
  ShardWriter(int64_t shard, const CurateConfig& config, const OutputLayout& layout, Models& models,
              uint64_t picture_bytes, const std::function<void(int64_t)>& scored)
      : config_(config),
        models_(models),
        picture_bytes_(picture_bytes),
        scored_(scored),
        size_(model_feature_size(models) > 0 ? model_feature_size(models) : kLayoutSize),
        features_(layout.features(shard)),
        rows_(layout.scores(shard)) {
    const std::string header = feature_header(size_);
    features_.append(header.data(), header.size());
  }

  void add(Item item) {
    text_bytes_ += item.text_bytes;
    pending_.push_back(std::move(item));
  }
  bool is_full() const { return pending_.size() >= kBlockItems || text_bytes_ >= kBlockTextBytes; }
  bool is_empty() const { return pending_.empty(); }

  /// Takes items off the front of what is pending, at least one.
  void score() {
    std::vector<Seen> block = see_block(pending_, config_, models_, picture_bytes_);
    apply_models(&block, models_);
    std::string features, rows;
    for (Seen& seen : block) {
      ScoreRow& row = seen.judged.row;
      row.has_features = std::ssize(seen.features) == size_;
      seen.features.resize(static_cast<size_t>(size_), 0);
      append_features(seen.features, &features);
      rows += to_json(row).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
    features_.append(features.data(), features.size());
    rows_.append(rows.data(), rows.size());
    pending_.erase(pending_.begin(), pending_.begin() + std::ssize(block));
    text_bytes_ = 0;
    for (const Item& item : pending_) text_bytes_ += item.text_bytes;
    scored_(std::ssize(block));
  }

  void commit() {
    features_.commit();
    rows_.commit();
  }

 private:
  const CurateConfig& config_;
  Models& models_;
  uint64_t picture_bytes_;
  const std::function<void(int64_t)>& scored_;
  int64_t size_;
  AtomicFile features_, rows_;
  std::vector<Item> pending_;
  uint64_t text_bytes_ = 0;
};

void score_shard(const ItemSource& source, int64_t shard, const CurateConfig& config,
                 const OutputLayout& layout, Models& models, const std::function<void(int64_t)>& scored,
                 const std::function<bool()>& cancelled, uint64_t picture_bytes) {
  ShardWriter writer(shard, config, layout, models, picture_bytes, scored);
  const auto score = [&] {
    VL3_CHECK(!cancelled || !cancelled(), kCancelled, "stopped; the same command goes on with shard {}",
              shard);
    writer.score();
  };
  const std::unique_ptr<ItemReader> reader = source.open(shard);
  while (std::optional<Item> item = reader->next()) {
    writer.add(std::move(*item));
    while (writer.is_full()) score();
  }
  while (!writer.is_empty()) score();
  writer.commit();
}

}  // namespace

fs::path OutputLayout::scores(int64_t shard) const { return work() / "scores" / (number(shard) + ".jsonl"); }
fs::path OutputLayout::features(int64_t shard) const {
  return work() / "features" / (number(shard) + ".vl3f");
}
fs::path OutputLayout::captions(int64_t shard) const {
  return work() / "captions" / (number(shard) + ".jsonl");
}

void remove_unfinished(const fs::path& folder, const ShardShare& share) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const size_t mark = name.find(".tmp-");
    if (mark == std::string::npos) continue;
    const int64_t shard = std::strtoll(name.c_str(), nullptr, 10);
    const auto process = static_cast<pid_t>(std::strtol(name.c_str() + mark + 5, nullptr, 10));
    const bool lives = process > 0 && (::kill(process, 0) == 0 || errno == EPERM);
    std::error_code ignored;
    if (shard % share.count == share.index && !lives) fs::remove(it->path(), ignored);
  }
}

ScoreProgress score_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                           const ShardShare& share, Models& models,
                           const std::function<void(const ScoreProgress&)>& progress,
                           const std::function<bool()>& cancelled, uint64_t picture_bytes) {
  fs::create_directories(layout.work() / "scores");
  fs::create_directories(layout.work() / "features");
  remove_unfinished(layout.work() / "scores", share);
  remove_unfinished(layout.work() / "features", share);
  ScoreProgress state;
  for (int64_t shard = share.index; shard < source.shards(); shard += share.count)
    state.total += source.size_of(shard);
  for (int64_t shard = share.index; shard < source.shards(); shard += share.count) {
    if (fs::exists(layout.scores(shard))) {
      state.done += source.size_of(shard);
      continue;
    }
    score_shard(
        source, shard, config, layout, models,
        [&](int64_t items) {
          state.done += items;
          state.scored += items;
          if (progress) progress(state);
        },
        cancelled, picture_bytes);
  }
  return state;
}

}  // namespace vl3::curate
