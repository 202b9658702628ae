// The second step: from all score rows to a verdict an item. Looks at no medium, so thresholds can be tried
// again and again; memory does not grow with the items. One thread besides Faiss's; of several processes one
// selects and the others read what it found.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "curate/clusters.h"
#include "curate/curate_config.h"
#include "curate/duplicates.h"
#include "curate/score_axis.h"
#include "curate/shard_scorer.h"
#include "curate/step_hooks.h"
#include "curate/verdict.h"

namespace vl3::curate {

struct Selection {
  std::unique_ptr<VerdictFile> verdicts;
  ClusterSummary clusters;
  DuplicateSummary duplicates;
  std::map<std::string, ScoreAxis> axes;  ///< of scores from outside and captions' gains
  int64_t items = 0, missing = 0;         ///< missing: whose medium is not there
};

/// The input as select needs it: how many items each shard has.
struct ShardSizes {
  std::vector<int64_t> begin;  ///< position of each shard's first item; one more entry: all items
  int64_t shards() const { return std::ssize(begin) - 1; }
};
ShardSizes sizes_of(const ItemSource& source);

/// Makes the selection in work/select, or takes the one that is there when nothing it depends on has changed.
/// Waits while another process makes it.
/// @throws Error(kNotFound) naming the first shard that is not scored yet; Error(kCorrupt) for a shard whose
/// rows are not its items'; Error(kCancelled).
Selection select_items(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout,
                       const StepHooks& hooks);

}  // namespace vl3::curate
