// A cache's keys and values in 8 bits: each head of each position has a scale of its own. Torch-free.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// x = out * scale with scale = max |x| / 127, to nearest, ties to even.
/// @param x    [d]; where one is not finite the scale is NaN, so that attention to it is NaN.
/// @param out  [d], written
/// @return the scale; 0 for a head of zeros.
float round_head(const float* x, int64_t d, int8_t* out);

}  // namespace vl3::ops
