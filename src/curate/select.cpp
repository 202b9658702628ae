#include "curate/select.h"

#include "core/check.h"
#include "curate/candidates.h"
#include "curate/duplicates.h"
#include "curate/feature_file.h"
#include "curate/row_reader.h"
#include "curate/thresholds.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

uint64_t hex_number(const std::string& text, size_t begin) {
  return text.size() < begin + 16 ? 0 : std::stoull(text.substr(begin, 16), nullptr, 16);
}

Candidate candidate_of(const ScoreRow& row, int64_t shard, int64_t index) {
  Candidate candidate;
  const auto score = [&row](const char* name) {
    const auto it = row.scores.find(name);
    return it == row.scores.end() ? 0.0 : it->second;
  };
  candidate.rank = {static_cast<int64_t>(score("width") * score("height")), row.position};
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

void judge_shard(int64_t shard, const ShardSizes& sizes, const CurateConfig& config,
                 const OutputLayout& layout, VerdictFile* verdicts, CandidateFile* candidates) {
  const int64_t begin = sizes.begin[static_cast<size_t>(shard)];
  const int64_t size = sizes.begin[static_cast<size_t>(shard) + 1] - begin;
  VL3_CHECK(fs::exists(layout.scores(shard)), kNotFound,
            "{}: shard {} is not scored yet; run every --shard first", layout.scores(shard).string(), shard);
  std::vector<Verdict> found;
  each_row(layout.scores(shard), [&](const ScoreRow& row) {
    VL3_CHECK(row.position == begin + std::ssize(found), kCorrupt, "{}: item {} where {} is due",
              layout.scores(shard).string(), row.position, begin + std::ssize(found));
    found.push_back(judge_row(row, config));
    if (found.back().reason == Reason::kKept) candidates->add(candidate_of(row, shard, row.position - begin));
  });
  VL3_CHECK(std::ssize(found) == size, kCorrupt, "{}: {} rows for {} items", layout.scores(shard).string(),
            found.size(), size);
  verdicts->set(begin, found);
}

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

}  // namespace

ShardSizes sizes_of(const ItemSource& source) {
  ShardSizes sizes;
  for (int64_t shard = 0; shard < source.shards(); ++shard) sizes.begin.push_back(source.begin_of(shard));
  sizes.begin.push_back(source.items());
  return sizes;
}

Selection select_items(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout,
                       const std::function<void(const std::string&)>& note) {
  const fs::path work = layout.work() / "select";
  fs::remove_all(work);
  fs::create_directories(work);
  Selection selection;
  selection.items = sizes.begin.back();
  selection.verdicts = std::make_unique<VerdictFile>(work / "verdicts", selection.items);
  CandidateFile candidates(work / "candidates");
  for (int64_t shard = 0; shard < sizes.shards(); ++shard)
    judge_shard(shard, sizes, config, layout, selection.verdicts.get(), &candidates);
  note(fmt::format("{} of {} items pass every filter of their own", candidates.size(), selection.items));
  drop_exact_duplicates(candidates, config, work, selection.verdicts.get());
  drop_near_duplicates(candidates, config, work, selection.verdicts.get());
  note("duplicates are found");
  drop_caption_templates(candidates, config, work, selection.verdicts.get());
  selection.clusters =
      balance_clusters(candidates, reader_of(layout, sizes), config, work, selection.verdicts.get());
  note(fmt::format("{} clusters", selection.clusters.clusters));
  return selection;
}

}  // namespace vl3::curate
