#include "preprocess/token_difference.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/check.h"

namespace vl3::preprocess {
namespace {

constexpr int64_t kMaxTokenSide = 2048;  // 3 * 2048^2 * 255 fits uint32

// Scales beyond any real config, within which no product here overflows or vanishes.
constexpr double kSmallest = 1e-6;
constexpr double kLargest = 1e6;

bool usable(double scale) { return std::fabs(scale) >= kSmallest && std::fabs(scale) <= kLargest; }

// The loop the compiler turns into one sum-of-absolute-differences instruction per vector.
[[gnu::always_inline]] inline uint32_t sum_body(const uint8_t* a, const uint8_t* b, int64_t bytes) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < bytes; ++i) sum += static_cast<uint32_t>(std::abs(a[i] - b[i]));
  return sum;
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] uint32_t sum_avx2(const uint8_t* a, const uint8_t* b, int64_t bytes) {
  return sum_body(a, b, bytes);
}
#endif

}  // namespace

uint32_t sum_abs_differences_plain(const uint8_t* a, const uint8_t* b, int64_t bytes) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < bytes; ++i) sum += a[i] > b[i] ? uint32_t{a[i]} - b[i] : uint32_t{b[i]} - a[i];
  return sum;
}

uint32_t sum_abs_differences(const uint8_t* a, const uint8_t* b, int64_t bytes) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) return sum_avx2(a, b, bytes);
#endif
  return sum_body(a, b, bytes);
}

TokenDifference::TokenDifference(const weights::PreprocessConfig& config, int64_t merge) {
  VL3_CHECK(config.patch_size >= 1 && merge >= 1 && config.patch_size <= kMaxTokenSide &&
                merge <= kMaxTokenSide / config.patch_size,
            kCorrupt,
            "preprocessor config: patch_size = {} and merge_size = {} must be positive, product at most {}",
            config.patch_size, merge, kMaxTokenSide);
  VL3_CHECK(config.image_std.size() == 3, kCorrupt, "preprocessor config: image_std has {} entries, wanted 3",
            config.image_std.size());
  for (const double value : config.image_std) {
    VL3_CHECK(usable(value), kCorrupt, "preprocessor config: image_std of {} is outside {}..{}", value,
              kSmallest, kLargest);
  }
  // 0.00392156862745098 is how the files write 1/255.
  double unit = 255.0 * config.rescale_factor;
  if (std::fabs(unit - 1.0) < 1e-9) unit = 1.0;
  VL3_CHECK(unit > 0 && usable(unit), kCorrupt, "preprocessor config: rescale_factor = {} is outside {}..{}",
            config.rescale_factor, kSmallest / 255, kLargest / 255);
  patch_plane_ = config.patch_size * config.patch_size;
  patches_ = merge * merge;
  const double std0 = std::fabs(config.image_std[0]);
  for (size_t c = 0; c < 3; ++c) weight_[c] = std0 / std::fabs(config.image_std[c]);
  equal_weights_ = weight_[1] == 1.0 && weight_[2] == 1.0;
  factor_ = static_cast<double>(token_bytes()) * std0 / unit;
  max_sum_ = 255.0 * static_cast<double>(patch_plane_ * patches_) * (weight_[0] + weight_[1] + weight_[2]);
}

double TokenDifference::sum(const uint8_t* a, const uint8_t* b) const {
  if (equal_weights_) return sum_abs_differences(a, b, token_bytes());
  double total = 0;
  for (int64_t plane = 0; plane < 3 * patches_; ++plane) {
    const int64_t offset = plane * patch_plane_;
    total += weight_[plane % 3] * sum_abs_differences(a + offset, b + offset, patch_plane_);
  }
  return total;
}

double TokenDifference::limit(double threshold) const {
  VL3_CHECK(std::isfinite(threshold) && threshold >= 0, kInvalidArgument,
            "prune threshold {} must be a number of at least 0", threshold);
  const double product = threshold * factor_;
  if (!equal_weights_ || product > max_sum_) return product;
  // Sums are integers: the limit is the floor of the exact product, whose rounding error fma() tells.
  const double whole = std::floor(product);
  return whole == product && std::fma(threshold, factor_, -product) < 0 ? whole - 1 : whole;
}

double TokenDifference::threshold_for(double sum) const {
  double threshold = sum / factor_;
  while (limit(threshold) < sum)
    threshold = std::nextafter(threshold, std::numeric_limits<double>::infinity());
  while (threshold > 0 && limit(std::nextafter(threshold, 0.0)) >= sum)
    threshold = std::nextafter(threshold, 0.0);
  return threshold;
}

}  // namespace vl3::preprocess
