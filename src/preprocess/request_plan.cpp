#include "preprocess/request_plan.h"

#include <algorithm>

#include "core/check.h"
#include "preprocess/target_size.h"

namespace vl3::preprocess {
namespace {

using weights::PreprocessConfig;

constexpr int kScaleBits = 20;
constexpr int64_t kMaxTotalPatches = int64_t{1} << 50;

VisualPlan lay_out(std::span<const MediaShape> media, const PreprocessConfig& config) {
  const std::vector<Size> sizes = target_sizes(media, config);
  VisualPlan plan;
  for (size_t i = 0; i < media.size(); ++i) {
    const int64_t patch = config.patch_size;
    const int64_t merge = merge_size(media[i].kind, config);
    const Grid grid{media[i].frames, sizes[i].height / patch, sizes[i].width / patch};
    const MediumPlan medium{media[i], sizes[i], grid, merge, (grid.h / merge) * (grid.w / merge)};
    VL3_CHECK(grid.h * grid.w <= (kMaxTotalPatches - plan.total_patches) / grid.t, kResourceExhausted,
              "medium {} of the request has {} frames of {}x{} patches; use fewer frames", i, grid.t, grid.h,
              grid.w);
    plan.total_frames += grid.t;
    plan.total_patches += medium.patches();
    plan.total_tokens += medium.tokens();
    plan.media.push_back(medium);
  }
  return plan;
}

PreprocessConfig with_scaled_limits(PreprocessConfig config, std::span<const MediaShape> media,
                                    int64_t scale) {
  const auto scaled = [&](int64_t limit) {
    const auto wide = static_cast<__int128>(limit) * scale;
    return static_cast<int64_t>(wide >> kScaleBits);
  };
  int64_t most_frames = 1;
  for (const MediaShape& medium : media) most_frames = std::max(most_frames, medium.frames);
  // At least one pixel a frame, or the rule has nothing to divide.
  config.image_max_pixels = std::max<int64_t>(scaled(config.image_max_pixels), 1);
  config.video_max_pixels = std::max(scaled(config.video_max_pixels), most_frames);
  // A lower maximum must win over the minimum.
  config.image_min_pixels = std::min(config.image_min_pixels, config.image_max_pixels);
  config.video_min_pixels = std::min(config.video_min_pixels, config.video_max_pixels / most_frames);
  return config;
}

/// The native flow under a joint limit: the largest common scale of its pixel limits that fits.
VisualPlan lay_out_within(std::span<const MediaShape> media, const PreprocessConfig& config, int64_t limit) {
  VisualPlan best = lay_out(media, with_scaled_limits(config, media, 0));
  if (best.total_tokens > limit) return best;
  int64_t fits = 0;
  for (int64_t step = int64_t{1} << (kScaleBits - 1); step > 0; step /= 2) {
    VisualPlan plan = lay_out(media, with_scaled_limits(config, media, fits + step));
    if (plan.total_tokens > limit) continue;
    fits += step;
    best = std::move(plan);
  }
  return best;
}

}  // namespace

VisualPlan plan_request(std::span<const MediaShape> media, const PreprocessConfig& config,
                        std::optional<int64_t> max_visual_tokens) {
  if (!max_visual_tokens) return lay_out(media, config);
  VL3_CHECK(*max_visual_tokens >= 1, kInvalidArgument, "max_visual_tokens = {} must be at least 1",
            *max_visual_tokens);
  PreprocessConfig limited = config;
  if (config.flow == Flow::kRemote) limited.max_tokens = std::min(*max_visual_tokens, kMaxSide);
  VisualPlan plan = lay_out(media, limited);
  if (config.flow == Flow::kNative && plan.total_tokens > *max_visual_tokens) {
    plan = lay_out_within(media, config, *max_visual_tokens);
  }
  VL3_CHECK(
      plan.total_tokens <= *max_visual_tokens, kResourceExhausted,
      "{} frames need at least {} visual tokens, max_visual_tokens is {}: use fewer frames or a larger limit",
      plan.total_frames, plan.total_tokens, *max_visual_tokens);
  return plan;
}

}  // namespace vl3::preprocess
