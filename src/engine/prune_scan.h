// Looks at the videos of a request without encoding them: how many tokens pruning keeps, and which threshold
// fits a budget. Decodes each video once; for a budget with the last-kept reference, about twenty times
// where the patches of all frames are too many to be held.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "engine/request.h"

namespace vl3::engine {

/// One image or frame as the encoder would get it.
struct ScannedFrame {
  size_t medium;
  int64_t frame;
  const preprocess::PatchBatch& patches;  ///< one frame
  std::span<const uint8_t> mask;          ///< [tokens_per_frame] of 0 and 1
  std::span<const double> differences;    ///< TokenPruner::differences(); empty for images and first frames
};

/// Decodes, resizes and prunes every medium, handing each frame to `visit` in order; nothing is kept.
void scan_media(const Runtime& runtime, const Request& request, const preprocess::PruneOptions& prune,
                const std::function<void(const ScannedFrame&)>& visit);

/// Kept tokens of each frame of each medium under `prune`.
std::vector<std::vector<int64_t>> count_kept(const Runtime& runtime, const Request& request,
                                             const preprocess::PruneOptions& prune);

/// The smallest threshold at or above `prune.threshold` with which all videos together keep at most `budget`
/// tokens.
/// @throws Error(kInvalidArgument) when no threshold does.
double threshold_for_budget(const Runtime& runtime, const Request& request,
                            const preprocess::PruneOptions& prune, int64_t budget);

}  // namespace vl3::engine
