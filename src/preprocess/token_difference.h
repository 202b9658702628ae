// How much a visual token differs from another one: DiffFP's measure, as exact sums of byte differences.
//
// Note: units. The reference computes D = 255 * mean |a - b| over the normalised floats of a token. A
// normalised difference is |u_a - u_b| * rescale_factor / std, so D is a sum of byte differences times a
// constant, and "D above the threshold" is "sum above a limit", independent of any order of float additions.
// With the releases' std of 0.5 and 255 * rescale_factor = 1 that is: mean |u_a - u_b| > threshold / 2 grey
// levels. Thread-safe.
#pragma once

#include <cstdint>
#include <span>

#include "weights/model_config.h"

namespace vl3::preprocess {

/// sum |a[i] - b[i]|; fewer than 2^24 bytes.
uint32_t sum_abs_differences(const uint8_t* a, const uint8_t* b, int64_t bytes);
/// The same with one plain loop: the oracle.
uint32_t sum_abs_differences_plain(const uint8_t* a, const uint8_t* b, int64_t bytes);

class TokenDifference {
 public:
  /// @param merge  a token is merge * merge consecutive rows of patchify().
  /// @throws Error(kCorrupt) for a patch size, std or rescale factor the measure cannot work with.
  TokenDifference(const weights::PreprocessConfig& config, int64_t merge);

  int64_t token_bytes() const { return patch_plane_ * 3 * patches_; }  ///< merge^2 * 3 * patch_size^2

  /// The sum for one token: with equal std in all channels the plain integer sum of byte differences, else
  /// channels are weighted by std[0] / std[c].
  /// @param a, b  uint8 [token_bytes()].
  double sum(const uint8_t* a, const uint8_t* b) const;

  /// The limit a sum must pass: `sum > limit(threshold)` is `D > threshold` in exact arithmetic (equal std
  /// that is a power of two, as released; otherwise up to one rounding of threshold * std).
  double limit(double threshold) const;

  /// The smallest threshold at which a token of this sum is dropped: limit(result) >= sum.
  double threshold_for(double sum) const;

  /// No token's sum is larger.
  double max_sum() const { return max_sum_; }

 private:
  int64_t patch_plane_;  ///< patch_size^2
  int64_t patches_;      ///< merge^2
  bool equal_weights_;
  double weight_[3];  ///< of a channel's sum
  double factor_;     ///< sum = D * factor_
  double max_sum_;
};

}  // namespace vl3::preprocess
