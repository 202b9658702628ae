// Bytes to the floats the vision encoder reads, as a table of 256 values a channel. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "weights/model_config.h"

namespace vl3::preprocess {

struct NormaliseTable {
  /// values[c][u] = (float32(u * rescale_factor) - float32(mean_c)) / float32(std_c); the product in double,
  /// the rest in float32, as the reference computes it.
  std::array<std::array<float, 256>, 3> values;
  /// All channels have the same values (mean and std of the releases): a gather needs no channel index.
  bool same_for_all_channels = false;
};

/// @throws Error(kCorrupt) unless mean and std have three finite entries each and no std is 0.
/// Source: spec/model.md 2.4; transformers `image_transforms.py:rescale, normalize`.
NormaliseTable make_normalise_table(const weights::PreprocessConfig& config);

/// @param patches  uint8 [N, 3*patch_size^2] in the order of patchify().
/// @param pixel_values  float32, the same length.
/// @throws Error(kInvalidArgument) for different lengths or a partial row.
void normalise(std::span<const uint8_t> patches, std::span<float> pixel_values, const NormaliseTable& table,
               int64_t patch_size);

}  // namespace vl3::preprocess
