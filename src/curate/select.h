// The second step: from all score rows to a verdict an item. Looks at no medium, so thresholds can be tried
// again and again; memory does not grow with the items. One thread besides Faiss's.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "curate/clusters.h"
#include "curate/curate_config.h"
#include "curate/shard_scorer.h"
#include "curate/verdict.h"

namespace vl3::curate {

struct Selection {
  std::unique_ptr<VerdictFile> verdicts;
  ClusterSummary clusters;
  int64_t items = 0;
};

/// The input as select needs it: how many items each shard has.
struct ShardSizes {
  std::vector<int64_t> begin;  ///< position of each shard's first item; one more entry: all items
  int64_t shards() const { return std::ssize(begin) - 1; }
};
ShardSizes sizes_of(const ItemSource& source);

/// @param note  one line now and then about what is being done.
/// @throws Error(kNotFound) naming the first shard that is not scored yet; Error(kCorrupt) for a shard whose
/// rows are not its items'.
Selection select_items(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout,
                       const std::function<void(const std::string&)>& note);

}  // namespace vl3::curate
