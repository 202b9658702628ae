#include "engine/frame_pixels.h"

#include <ATen/ops/empty.h>

namespace vl3::engine {

at::Tensor patch_pixels(const std::vector<std::span<const uint8_t>>& frames,
                        const preprocess::NormaliseTable& table, int64_t patch_size) {
  const int64_t C = 3 * patch_size * patch_size;
  size_t values = 0;
  for (const auto& frame : frames) values += frame.size();
  at::Tensor pixels_PC = at::empty({static_cast<int64_t>(values) / C, C}, at::kFloat);
  auto* to = pixels_PC.data_ptr<float>();
  for (const auto& frame : frames) {
    preprocess::normalise(frame, {to, frame.size()}, table, patch_size);
    to += frame.size();
  }
  return pixels_PC;
}

at::Tensor frame_pixels(const std::vector<std::span<const uint8_t>>& frames,
                        const preprocess::NormaliseTable& table, int64_t patch_size) {
  const auto F = static_cast<int64_t>(frames.size());
  return patch_pixels(frames, table, patch_size).unflatten(0, {F, -1});
}

}  // namespace vl3::engine
