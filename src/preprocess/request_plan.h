// What a request's media will cost before anything is decoded fully: sizes, grids, patches, visual tokens.
// Pure arithmetic on shapes; `vl3 plan` shows it and the engine works by it. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "preprocess/media_item.h"
#include "weights/model_config.h"

namespace vl3::preprocess {

struct MediumPlan {
  MediaShape shape;              ///< as it came
  Size size;                     ///< every frame is resized to this
  Grid grid;                     ///< in patches; t = frames
  int64_t merge = 1;             ///< merge x merge patches become one token
  int64_t tokens_per_frame = 0;  ///< before pruning

  int64_t patches() const { return grid.t * grid.h * grid.w; }
  int64_t tokens() const { return grid.t * tokens_per_frame; }
};

struct VisualPlan {
  std::vector<MediumPlan> media;  ///< in the order of the request
  int64_t total_frames = 0;       ///< images count as one
  int64_t total_patches = 0;      ///< rows the vision encoder sees
  int64_t total_tokens = 0;       ///< rows the projector gives, before pruning
};

/// Lays out the media of one request.
///
/// `max_visual_tokens` is the caller's own limit on total_tokens:
///   kRemote  it takes the place of the config's max_tokens (shared by all media as the flow's rule says);
///   kNative  that flow has no joint limit, so where the sum is over it, max_pixels of images and videos are
///   scaled by
///            one common factor, the largest k / 2^20 that fits; media below their limit keep their size.
/// @param max_visual_tokens  at least 1; unset: the checkpoint's own limits.
/// @throws Error(kResourceExhausted) when the smallest sizes the flow's rules allow still give more tokens:
/// use fewer frames or a larger limit. Otherwise as target_sizes().
VisualPlan plan_request(std::span<const MediaShape> media, const weights::PreprocessConfig& config,
                        std::optional<int64_t> max_visual_tokens = std::nullopt);

}  // namespace vl3::preprocess
