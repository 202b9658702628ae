// The first step: shards of items to files of score rows and features. A shard's files appear whole or not at
// all, so a run that was killed goes on with the first one missing, and any number of processes may share the
// shards.
#pragma once

#include <filesystem>
#include <functional>

#include "curate/curate_config.h"
#include "curate/item.h"
#include "curate/scorer.h"

namespace vl3::curate {

/// Where things lie in an output folder.
struct OutputLayout {
  std::filesystem::path output;
  std::filesystem::path work() const { return output / "work"; }
  std::filesystem::path scores(int64_t shard) const;
  std::filesystem::path features(int64_t shard) const;
  std::filesystem::path captions(int64_t shard) const;
};

/// Shards `index`, `index + count`, … are this process's.
struct ShardShare {
  int64_t index = 0, count = 1;
};

struct ScoreProgress {
  int64_t done = 0, total = 0;  ///< items of this share; what was there already counts as done
  int64_t scored = 0;           ///< by this run
};

/// Makes what is missing of the share's shards.
/// @param models  used by the calling thread alone; config.workers threads decode.
/// @param cancelled  looked at after each block of items; the shard it was in is not written.
/// @throws Error(kCancelled); Error(kResourceExhausted) for a full disk. Items themselves never throw.
ScoreProgress score_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                           const ShardShare& share, Models& models,
                           const std::function<void(const ScoreProgress&)>& progress,
                           const std::function<bool()>& cancelled);

/// Refuses an output folder whose scores were made from another input or with other scoring keys.
/// @throws Error(kInvalidArgument) naming the first difference.
void claim_output(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout);

}  // namespace vl3::curate
