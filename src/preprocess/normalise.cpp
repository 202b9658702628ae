#include "preprocess/normalise.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vl3::preprocess {

NormaliseTable make_normalise_table(const weights::PreprocessConfig& config) {
  const auto finite = [](double value) { return std::isfinite(value); };
  VL3_CHECK(config.image_mean.size() == 3 && config.image_std.size() == 3, kCorrupt,
            "preprocessor config: image_mean and image_std have {} and {} entries, wanted 3 each",
            config.image_mean.size(), config.image_std.size());
  VL3_CHECK(
      std::ranges::all_of(config.image_mean, finite) && std::ranges::all_of(config.image_std, finite) &&
          std::ranges::none_of(config.image_std, [](double value) { return static_cast<float>(value) == 0; }),
      kCorrupt, "preprocessor config: image_mean and image_std must be finite, image_std not 0");
  NormaliseTable table;
  for (size_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(config.image_mean[c]);
    const auto deviation = static_cast<float>(config.image_std[c]);
    for (size_t u = 0; u < 256; ++u) {
      table.values[c][u] =
          (static_cast<float>(static_cast<double>(u) * config.rescale_factor) - mean) / deviation;
    }
  }
  table.same_for_all_channels = table.values[0] == table.values[1] && table.values[0] == table.values[2];
  return table;
}

void normalise(std::span<const uint8_t> patches, std::span<float> pixel_values, const NormaliseTable& table,
               int64_t patch_size) {
  VL3_CHECK(patch_size >= 1 && patch_size <= 4096, kInvalidArgument, "patch_size = {} is outside 1..4096",
            patch_size);
  const auto plane = static_cast<size_t>(patch_size * patch_size);
  VL3_CHECK(patches.size() == pixel_values.size() && patches.size() % (3 * plane) == 0, kInvalidArgument,
            "normalise: {} bytes to {} floats, wanted equal multiples of {}", patches.size(),
            pixel_values.size(), 3 * plane);
  for (size_t start = 0, c = 0; start < patches.size(); start += plane, c = (c + 1) % 3) {
    const std::array<float, 256>& values = table.values[c];
    for (size_t i = start; i < start + plane; ++i) pixel_values[i] = values[patches[i]];
  }
}

}  // namespace vl3::preprocess
