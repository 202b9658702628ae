// Integer filter weights of Pillow's antialiased bicubic resampling along one axis. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace vl3::preprocess {

/// Fractional bits of a weight; a sum of weight * uint8 fits int32.
inline constexpr int kWeightBits = 22;

struct BicubicWeights {
  struct Window {
    int32_t first = 0;  ///< first input sample of the output sample
    int32_t count = 0;  ///< 1 … max_count input samples
  };
  int64_t max_count = 0;
  std::vector<Window> windows;   ///< [out]; `first` and `first + count` never go down
  std::vector<int32_t> weights;  ///< [out, max_count], fixed point with kWeightBits; zero after `count`

  const int32_t* row(int64_t output) const { return weights.data() + output * max_count; }
};

/// @param in, out  samples along the axis, 1 … 2^26; the table has about 4 * max(in, out) entries.
/// Source: Pillow 12.3 `Resample.c:precompute_coeffs, normalize_coeffs_8bpc`; spec/model.md 2.3.
BicubicWeights make_bicubic_weights(int64_t in, int64_t out);

/// The same from a small cache shared by all threads: frames of one video use two tables.
std::shared_ptr<const BicubicWeights> bicubic_weights(int64_t in, int64_t out);

}  // namespace vl3::preprocess
