#include "curate/select.h"

#include <optional>
#include <utility>

#include "core/check.h"
#include "curate/candidates.h"
#include "curate/duplicates.h"
#include "curate/feature_file.h"
#include "curate/file_lock.h"
#include "curate/row_reader.h"
#include "curate/selection_store.h"
#include "curate/thresholds.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

uint64_t hex_number(const std::string& text, size_t begin) {
  return text.size() < begin + 16 ? 0 : std::stoull(text.substr(begin, 16), nullptr, 16);
}

// Whether training data would hold the item's own caption.
bool uses_captions(const ExportConfig& exports) {
  return exports.caption != "short" && exports.caption != "detailed";
}

Candidate candidate_of(const ScoreRow& row, const CurateConfig& config, int64_t shard, int64_t index) {
  Candidate candidate;
  const auto score = [&row](const char* name) {
    const auto it = row.scores.find(name);
    return it == row.scores.end() ? 0.0 : it->second;
  };
  candidate.rank = {static_cast<int64_t>(score("width") * score("height")), row.position};
  if (!row.caption.empty() && uses_captions(config.exports)) candidate.rank.worth += kWorthOfCaption;
  candidate.video = row.kind == "video" ? 1 : 0;
  candidate.shard = shard;
  candidate.row = index;
  candidate.content[0] = hex_number(row.content, 0);
  candidate.content[1] = hex_number(row.content, 16);
  candidate.caption_key = hex_number(row.caption_key, 0);
  candidate.has_features = row.has_features ? 1 : 0;
  candidate.has_likeness = row.likeness ? 1 : 0;
  if (row.likeness) candidate.likeness = *row.likeness;
  return candidate;
}

class RowJudge {
 public:
  RowJudge(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout,
           Selection* selection, CandidateFile* candidates)
      : sizes_(sizes), config_(config), layout_(layout), selection_(selection), candidates_(candidates) {
    for (const ScorerConfig& scorer : config.scorers) samplers_[scorer.name] = {};
    samplers_["caption_gain"] = {};
  }

  void judge(int64_t shard) {
    const int64_t begin = sizes_.begin[static_cast<size_t>(shard)];
    const int64_t size = sizes_.begin[static_cast<size_t>(shard) + 1] - begin;
    const std::string file = layout_.scores(shard).string();
    std::vector<Verdict> found;
    each_row(file, [&](ScoreRow row) {
      VL3_CHECK(row.position == begin + std::ssize(found), kCorrupt, "{}: item {} where {} is due", file,
                row.position, begin + std::ssize(found));
      take_columns(config_, &row);
      found.push_back(judge_row(row, config_));
      selection_->missing += row.reason == "missing" ? 1 : 0;
      for (auto& [name, sampler] : samplers_) {
        const auto score = row.scores.find(name);
        if (score != row.scores.end()) sampler.add(score->second);
      }
      if (found.back().reason == Reason::kKept)
        candidates_->add(candidate_of(row, config_, shard, row.position - begin));
    });
    VL3_CHECK(std::ssize(found) == size, kCorrupt, "{}: {} rows for {} items", file, found.size(), size);
    selection_->verdicts->set(begin, found);
  }

  void finish() {
    for (const ScorerConfig& scorer : config_.scorers) {
      const bool made = !samplers_.at(scorer.name).empty() || selection_->items == 0;
      VL3_CHECK(made || scorer.kind != "column", kInvalidArgument,
                "scorers \"{}\": no item has a number in its column \"{}\"", scorer.name,
                scorer.column.empty() ? scorer.name : scorer.column);
    }
    for (const auto& [name, sampler] : samplers_) {
      if (!sampler.empty()) selection_->axes[name] = sampler.axis();
    }
  }

 private:
  const ShardSizes& sizes_;
  const CurateConfig& config_;
  const OutputLayout& layout_;
  Selection* selection_;
  CandidateFile* candidates_;
  std::map<std::string, AxisSampler> samplers_;
};

// Candidates come in the order of the input: a shard's file stays open until the next one's is wanted.
FeatureReader reader_of(const OutputLayout& layout, const ShardSizes& sizes) {
  FeatureReader reader;
  if (sizes.shards() == 0) return reader;
  struct Open {
    int64_t shard = -1;
    std::unique_ptr<FeatureFile> file;
  };
  const auto open = std::make_shared<Open>();
  reader.size = FeatureFile(layout.features(0)).size();
  reader.read = [open, layout, size = reader.size](const Candidate& candidate, float* out) {
    if (open->shard != candidate.shard) {
      open->file = std::make_unique<FeatureFile>(layout.features(candidate.shard));
      open->shard = candidate.shard;
      VL3_CHECK(open->file->size() == size, kCorrupt, "{}: features of {} numbers, others have {}",
                layout.features(candidate.shard).string(), open->file->size(), size);
    }
    open->file->read(candidate.row, out);
  };
  return reader;
}

Selection make_selection(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout,
                         const fs::path& work, const StepHooks& hooks) {
  Selection selection;
  selection.items = sizes.begin.back();
  selection.verdicts = std::make_unique<VerdictFile>(verdicts_of(work), selection.items);
  VerdictFile* verdicts = selection.verdicts.get();
  CandidateFile candidates(work / "candidates");
  RowJudge judge(sizes, config, layout, &selection, &candidates);
  for (int64_t shard = 0; shard < sizes.shards(); ++shard) {
    hooks.stop_if_asked("selecting");
    hooks.show("rows", sizes.begin[static_cast<size_t>(shard)], selection.items);
    judge.judge(shard);
  }
  judge.finish();
  hooks.say(fmt::format("{} of {} items pass every filter of their own", candidates.size(), selection.items));
  drop_exact_duplicates(candidates, config, work, verdicts);
  hooks.stop_if_asked("selecting");
  drop_near_duplicates(candidates, config, work, verdicts, hooks);
  selection.duplicates = settle_duplicates(config, work, verdicts);
  hooks.say(
      fmt::format("{} duplicates in {} groups", selection.duplicates.dropped, selection.duplicates.groups));
  hooks.stop_if_asked("selecting");
  drop_caption_templates(candidates, config, work, verdicts);
  selection.clusters = balance_clusters(candidates, reader_of(layout, sizes), config, work, verdicts, hooks);
  hooks.stop_if_asked("selecting");
  hooks.say(fmt::format("{} clusters", selection.clusters.clusters));
  return selection;
}

}  // namespace

ShardSizes sizes_of(const ItemSource& source) {
  ShardSizes sizes;
  for (int64_t shard = 0; shard < source.shards(); ++shard) sizes.begin.push_back(source.begin_of(shard));
  sizes.begin.push_back(source.items());
  return sizes;
}

Selection select_items(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout,
                       const StepHooks& hooks) {
  const fs::path folder = layout.work() / "select", work = layout.work() / "select.new";
  const FileLock lock = FileLock::lock(layout.work() / "select.lock", FileLock::Mode::kExclusive, hooks,
                                       "another process is selecting: waiting for it");
  const std::string state = selection_state(sizes, config, layout);
  if (std::optional<Selection> there = load_selection(folder, state, sizes.begin.back())) {
    hooks.say("the selection is there already");
    return std::move(*there);
  }
  fs::remove_all(work);
  fs::create_directories(work);
  Selection selection = make_selection(sizes, config, layout, work, hooks);
  fs::remove(work / "candidates");
  save_selection(work, state, selection);
  // Whoever reads the old one has it open, and goes on with it.
  fs::remove_all(folder);
  fs::rename(work, folder);
  return selection;
}

}  // namespace vl3::curate
