#include "curate/shard_scorer.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "core/check.h"
#include "core/file.h"
#include "curate/feature_file.h"
#include "curate/item_judge.h"
#include "curate/layout_features.h"
#include "curate/recipe.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr size_t kBlockItems = 64;  // decoded at once: what bounds memory
constexpr uint64_t kMaxClaim = 1 << 20;

std::string number(int64_t shard) { return fmt::format("{:06}", shard); }

std::vector<Judged> judge_block(const std::vector<Item>& items, size_t begin, size_t end,
                                const CurateConfig& config) {
  std::vector<Judged> judged(end - begin);
  std::atomic<size_t> next{begin};
  const auto work = [&] {
    for (size_t i = next++; i < end; i = next++) judged[i - begin] = judge_item(items[i], config);
  };
  const auto cores = static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()));
  const int64_t workers = config.workers > 0 ? config.workers : cores;
  {
    std::vector<std::jthread> threads;
    for (int64_t t = 1; t < std::min<int64_t>(workers, std::ssize(judged)); ++t) threads.emplace_back(work);
    work();
  }
  return judged;
}

int64_t feature_size(const Models& models) {
  for (const auto& model : models) {
    if (model->feature_size() > 0) return model->feature_size();
  }
  return kLayoutSize;
}

void apply_models(std::vector<Judged>* block, Models& models, std::string* features) {
  std::vector<Sighting> seen;
  std::vector<size_t> rows;
  for (size_t i = 0; i < block->size(); ++i) {
    const Judged& judged = (*block)[i];
    if (!judged.row.reason.empty()) continue;
    seen.push_back({&judged.picture, judged.row.caption});
    rows.push_back(i);
  }
  std::vector<std::vector<float>> vectors(block->size());
  for (const auto& model : models) {
    std::vector<Impression> impressions = model->look(seen);
    VL3_CHECK(impressions.size() == rows.size(), kInternal, "a model looked at {} of {} items",
              impressions.size(), rows.size());
    for (size_t k = 0; k < rows.size(); ++k) {
      (*block)[rows[k]].row.scores.merge(impressions[k].scores);
      std::vector<float>& vector = vectors[rows[k]];
      if (vector.empty()) vector = std::move(impressions[k].features);
    }
  }
  const auto size = static_cast<size_t>(feature_size(models));
  for (size_t i = 0; i < block->size(); ++i) {
    Judged& judged = (*block)[i];
    if (judged.row.reason.empty() && vectors[i].empty())
      vectors[i] = layout_features(judged.picture, judged.row.likeness->thumb);
    judged.row.has_features = vectors[i].size() == size;
    vectors[i].resize(size, 0);
    append_features(vectors[i], features);
  }
}

// The rows are written last: a shard is there when its rows are.
void score_shard(const ItemSource& source, int64_t shard, const CurateConfig& config,
                 const OutputLayout& layout, Models& models, const std::function<void(int64_t)>& scored,
                 const std::function<bool()>& cancelled) {
  const std::vector<Item> items = source.read(shard);
  std::string features = feature_header(feature_size(models));
  AtomicFile rows(layout.scores(shard));
  for (size_t begin = 0; begin < items.size(); begin += kBlockItems) {
    VL3_CHECK(!cancelled || !cancelled(), kCancelled, "stopped; the same command goes on with shard {}",
              shard);
    const size_t end = std::min(items.size(), begin + kBlockItems);
    std::vector<Judged> block = judge_block(items, begin, end, config);
    apply_models(&block, models, &features);
    for (const Judged& judged : block) {
      const std::string line =
          to_json(judged.row).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
      rows.append(line.data(), line.size());
    }
    scored(static_cast<int64_t>(end - begin));
  }
  write_file_atomically(layout.features(shard), features);
  rows.commit();
}

}  // namespace

fs::path OutputLayout::scores(int64_t shard) const { return work() / "scores" / (number(shard) + ".jsonl"); }
fs::path OutputLayout::features(int64_t shard) const {
  return work() / "features" / (number(shard) + ".vl3f");
}
fs::path OutputLayout::captions(int64_t shard) const {
  return work() / "captions" / (number(shard) + ".jsonl");
}

ScoreProgress score_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                           const ShardShare& share, Models& models,
                           const std::function<void(const ScoreProgress&)>& progress,
                           const std::function<bool()>& cancelled) {
  fs::create_directories(layout.work() / "scores");
  fs::create_directories(layout.work() / "features");
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
        cancelled);
  }
  return state;
}

void claim_output(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout) {
  fs::create_directories(layout.work());
  std::string mine = "input = " + source.fingerprint() + "\n";
  for (const std::string& key : scoring_keys(config)) mine += key + "\n";
  const fs::path file = layout.work() / "scoring_keys.txt";
  if (!fs::exists(file)) return write_file_atomically(file, mine);
  const std::string theirs = read_file(file, kMaxClaim);
  if (theirs == mine) return;
  const auto line_at = [](const std::string& text, size_t at) {
    const size_t begin =
        text.rfind('\n', at) == std::string::npos || at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  const auto at = static_cast<size_t>(
      std::mismatch(mine.begin(), mine.end(), theirs.begin(), theirs.end()).first - mine.begin());
  VL3_FAIL(kInvalidArgument,
           "{}: its scores were made otherwise ({:.80}; now {:.80}): give another output folder, or remove "
           "this one",
           layout.output.string(), line_at(theirs, std::min(at, theirs.size() - 1)),
           line_at(mine, std::min(at, mine.size() - 1)));
}

}  // namespace vl3::curate
