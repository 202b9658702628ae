#include "preprocess/patchify.h"

#include <cstring>

#include "core/check.h"
#include "preprocess/resize.h"

namespace vl3::preprocess {
namespace {

constexpr int64_t kMaxPatchSize = 4096;

void check_size(Size size, int64_t patch_size, int64_t merge) {
  VL3_CHECK(patch_size >= 1 && patch_size <= kMaxPatchSize && merge >= 1 && merge <= kMaxPatchSize,
            kInvalidArgument, "patches of {} pixels merged {}x{}: both must be 1..{}", patch_size, merge,
            merge, kMaxPatchSize);
  const int64_t f = patch_size * merge;
  VL3_CHECK(size.height >= f && size.width >= f && size.height % f == 0 && size.width % f == 0,
            kInvalidArgument, "a frame of {}x{} pixels does not divide into tokens of {}x{}", size.width,
            size.height, f, f);
}

void check_frame(Size size, int64_t patch_size, int64_t merge, size_t rgb_bytes, size_t patch_bytes) {
  check_size(size, patch_size, merge);
  const auto bytes = static_cast<size_t>(size.height * size.width * 3);
  VL3_CHECK(rgb_bytes == bytes && patch_bytes == bytes, kInvalidArgument,
            "a frame of {}x{} pixels has {} bytes; the buffers have {} and {}", size.width, size.height,
            bytes, rgb_bytes, patch_bytes);
}

/// Row of the patch at (row, column) in the order of the header's note.
int64_t patch_index(int64_t row, int64_t column, int64_t columns, int64_t merge) {
  const int64_t block = row / merge * (columns / merge) + column / merge;
  return block * merge * merge + row % merge * merge + column % merge;
}

/// One row of interleaved pixels to planes [3, width]. The loop vectorises well only where bytes can be
/// shuffled.
[[gnu::always_inline]] inline void split_channels_body(const uint8_t* __restrict pixels, int64_t width,
                                                       uint8_t* __restrict planes) {
  for (int64_t x = 0; x < width; ++x) {
    planes[x] = pixels[3 * x];
    planes[width + x] = pixels[3 * x + 1];
    planes[2 * width + x] = pixels[3 * x + 2];
  }
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void split_channels_avx2(const uint8_t* pixels, int64_t width, uint8_t* planes) {
  split_channels_body(pixels, width, planes);
}
#endif

void split_channels(const uint8_t* pixels, int64_t width, uint8_t* planes) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) return split_channels_avx2(pixels, width, planes);
#endif
  split_channels_body(pixels, width, planes);
}

/// Calls run(patch offset, plane offset) for each run of patch_size samples of one channel of pixel row y.
template <typename Run>
void for_each_run(Size size, int64_t patch_size, int64_t merge, int64_t y, Run&& run) {
  const int64_t columns = size.width / patch_size;
  for (int64_t column = 0; column < columns; ++column) {
    const int64_t index = patch_index(y / patch_size, column, columns, merge);
    for (int64_t c = 0; c < 3; ++c) {
      run(((index * 3 + c) * patch_size + y % patch_size) * patch_size, c * size.width + column * patch_size);
    }
  }
}

}  // namespace

std::span<const uint8_t> PatchBatch::frame(int64_t t) const {
  VL3_DCHECK(t >= 0 && t < grid.t);
  return std::span(patches_u8)
      .subspan(static_cast<size_t>(t * frame_bytes()), static_cast<size_t>(frame_bytes()));
}

PatchBatch make_patch_batch(Size size, int64_t patch_size, int64_t merge) {
  check_size(size, patch_size, merge);
  return {{0, size.height / patch_size, size.width / patch_size}, merge, patch_size, {}};
}

void append_frame(PatchBatch& batch, std::span<const uint8_t> rgb, Size original) {
  const Size size = batch.frame_size();
  std::vector<uint8_t> resized;
  if (original != size) {
    resized = resize_bicubic(rgb, original, size);
    rgb = resized;
  }
  const size_t old_size = batch.patches_u8.size();
  batch.patches_u8.resize(old_size + static_cast<size_t>(batch.frame_bytes()));
  patchify(rgb, size, batch.patch_size, batch.merge, std::span(batch.patches_u8).subspan(old_size));
  ++batch.grid.t;
}

void patchify(std::span<const uint8_t> rgb, Size size, int64_t patch_size, int64_t merge,
              std::span<uint8_t> patches) {
  check_frame(size, patch_size, merge, rgb.size(), patches.size());
  const int64_t width = size.width;
  std::vector<uint8_t> planes(static_cast<size_t>(3 * width));  // one pixel row, [3, width]
  for (int64_t y = 0; y < size.height; ++y) {
    split_channels(rgb.data() + y * width * 3, width, planes.data());
    for_each_run(size, patch_size, merge, y, [&](int64_t patch_offset, int64_t plane_offset) {
      std::memcpy(patches.data() + patch_offset, planes.data() + plane_offset,
                  static_cast<size_t>(patch_size));
    });
  }
}

void unpatchify(std::span<const uint8_t> patches, Size size, int64_t patch_size, int64_t merge,
                std::span<uint8_t> rgb) {
  check_frame(size, patch_size, merge, rgb.size(), patches.size());
  for (int64_t y = 0; y < size.height; ++y) {
    uint8_t* pixels = rgb.data() + y * size.width * 3;
    for_each_run(size, patch_size, merge, y, [&](int64_t patch_offset, int64_t plane_offset) {
      const int64_t c = plane_offset / size.width;
      const int64_t x = plane_offset % size.width;
      for (int64_t i = 0; i < patch_size; ++i) {
        pixels[(x + i) * 3 + c] = patches[static_cast<size_t>(patch_offset + i)];
      }
    });
  }
}

}  // namespace vl3::preprocess
