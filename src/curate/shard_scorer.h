// The first step: shards of items to files of score rows and features. A shard's files appear whole or not at
// all, so a run that was killed goes on with the first one missing, and any number of processes may share the
// shards.
#pragma once

#include <cstdint>
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

/// Removes what killed processes left of the share's shards: "000017.jsonl.tmp-PID-…" of processes that are
/// no more. A share is one process's: those of other machines that are at work have other shards.
void remove_unfinished(const std::filesystem::path& folder, const ShardShare& share);

inline constexpr uint64_t kPictureBytes = 256u << 20;

/// Makes what is missing of the share's shards. Memory holds a block of at most 64 items.
/// @param models  used by the calling thread alone; config.workers threads decode.
/// @param cancelled  looked at before each block of items; the shard it was in is not written.
/// @param picture_bytes  that a block's decoded pictures take, and one picture more for each worker. Without
/// models each is let go at once.
/// @throws Error(kCancelled); Error(kResourceExhausted) for a full disk. Items themselves never throw: one
/// that a model cannot look at lacks its scores and features, `detail` says why. A model that fails with
/// every item and with a plain picture, too, throws its own error.
ScoreProgress score_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                           const ShardShare& share, Models& models,
                           const std::function<void(const ScoreProgress&)>& progress,
                           const std::function<bool()>& cancelled, uint64_t picture_bytes = kPictureBytes);

}  // namespace vl3::curate
