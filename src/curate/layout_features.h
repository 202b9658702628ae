// The built-in stand-in for a vision model's features: where which colours and edges are. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "curate/perceptual_hash.h"
#include "media/frame.h"

namespace vl3::curate {

inline constexpr int64_t kLayoutSize = 192 + 64 + 128;

/// Thumbnail (192), colours in 4 x 4 x 4 bins (64), edge directions in 4 x 4 cells of 8 (128), each part
/// centred or of unit length, together of length 1.
std::vector<float> layout_features(const media::Frame& picture, const Thumb& thumb);

}  // namespace vl3::curate
