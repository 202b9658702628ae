// Resized frames in bytes as what the vision encoder reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "preprocess/normalise.h"

namespace vl3::engine {

/// @param frames  of one size: uint8 [N, 3*patch_size^2] each, at least one. @return float32 [F, N,
/// 3*patch_size^2] on the CPU.
at::Tensor frame_pixels(const std::vector<std::span<const uint8_t>>& frames,
                        const preprocess::NormaliseTable& table, int64_t patch_size);

/// The same for frames of any sizes, one after the other: [patches of all, 3*patch_size^2].
at::Tensor patch_pixels(const std::vector<std::span<const uint8_t>>& frames,
                        const preprocess::NormaliseTable& table, int64_t patch_size);

}  // namespace vl3::engine
