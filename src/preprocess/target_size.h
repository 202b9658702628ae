// The size every medium of a request is resized to: the official flow shares one token budget between all
// media, transformers' flow limits each medium alone. Pure arithmetic, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "preprocess/media_item.h"
#include "weights/model_config.h"

namespace vl3::preprocess {

/// Longest side of a medium the rules take; above every decoder limit, and keeps all products exact in
/// double.
inline constexpr int64_t kMaxSide = int64_t{1} << 26;

/// Side of one merged token in pixels, f = patch_size * merge of the kind.
int64_t merge_size(MediaKind kind, const weights::PreprocessConfig& config);
int64_t token_side(MediaKind kind, const weights::PreprocessConfig& config);

/// Resized size of every medium, in order; both sides are multiples of the medium's token_side() and at least
/// it.
///
/// kRemote, all media of one merge size: cap of (max_tokens * f^2) // F pixels a frame, F = images + video
/// frames of the whole request, and at least min_tokens tokens a frame. kRemote, images and videos of
/// different merge sizes: one common scale so that all tokens together stay within max_tokens, no minimum.
/// kNative: each medium alone between its min_pixels and max_pixels (videos: max_pixels // frames).
///
/// @throws Error(kInvalidArgument) for an empty or over-large medium, a side ratio above 200 (native), or a
/// limit that leaves no pixel; Error(kCorrupt) for limits of the config no arithmetic can honour. Source:
/// spec/model.md 2.2; reference `image_processing_videollama3.py:simple_batched_resize, batched_resize`,
/// transformers `video_llama_3:smart_resize`.
std::vector<Size> target_sizes(std::span<const MediaShape> media, const weights::PreprocessConfig& config);

}  // namespace vl3::preprocess
