#include "engine/frame_pixels.h"

#include <ATen/ops/empty.h>

namespace vl3::engine {

at::Tensor frame_pixels(const std::vector<std::span<const uint8_t>>& frames,
                        const preprocess::NormaliseTable& table, int64_t patch_size) {
  const auto F = static_cast<int64_t>(frames.size());
  const int64_t C = 3 * patch_size * patch_size, N = static_cast<int64_t>(frames.front().size()) / C;
  at::Tensor pixels_FNC = at::empty({F, N, C}, at::kFloat);
  auto* to = pixels_FNC.data_ptr<float>();
  for (int64_t f = 0; f < F; ++f)
    preprocess::normalise(frames[static_cast<size_t>(f)], {to + f * N * C, static_cast<size_t>(N * C)}, table,
                          patch_size);
  return pixels_FNC;
}

}  // namespace vl3::engine
