// Resized frames as rows of patches in the order the vision encoder reads them, still in bytes: what is
// compared for pruning, hashed for caching and gathered to floats by the encoder (normalise.h). Thread-safe.
//
// Note: patch order. With grid h x w and merge m, rows run over block row (h/m), block column (w/m), row in
// block (m), column in block (m): for m = 2 each 2x2 block lies together as top left, top right, bottom left,
// bottom right, so one merged token is m*m consecutive rows. Inside a row: channel, patch row, patch column.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "preprocess/media_item.h"

namespace vl3::preprocess {

/// One image or video (or a run of its frames) ready for the encoder.
struct PatchBatch {
  Grid grid;          ///< t grows with append_frame(); h and w in patches
  int64_t merge = 1;  ///< m; h and w are multiples of it
  int64_t patch_size = 14;
  std::vector<uint8_t> patches_u8;  ///< [t*h*w, 3*patch_size*patch_size]

  int64_t row_bytes() const { return 3 * patch_size * patch_size; }
  int64_t frame_bytes() const { return grid.h * grid.w * row_bytes(); }
  int64_t tokens_per_frame() const { return grid.h * grid.w / (merge * merge); }
  Size frame_size() const { return {grid.h * patch_size, grid.w * patch_size}; }
  std::span<const uint8_t> frame(int64_t t) const;  ///< [h*w, row_bytes()]; 0 <= t < grid.t
};

/// A batch of no frames yet for frames of `size`.
/// @throws Error(kInvalidArgument) when a side is not a positive multiple of patch_size * merge.
PatchBatch make_patch_batch(Size size, int64_t patch_size, int64_t merge);

/// Resizes one decoded frame to the batch's size and appends its patches.
/// @param rgb  uint8 [original.height, original.width, 3].
void append_frame(PatchBatch& batch, std::span<const uint8_t> rgb, Size original);

/// @param rgb  uint8 [size.height, size.width, 3], both sides multiples of patch_size * merge.
/// @param patches  uint8 [h*w, 3*patch_size^2], as many bytes as rgb.
/// @throws Error(kInvalidArgument) for other sizes or lengths.
/// Source: spec/model.md 2.5; reference `image_processing_videollama3.py:_preprocess`.
void patchify(std::span<const uint8_t> rgb, Size size, int64_t patch_size, int64_t merge,
              std::span<uint8_t> patches);

/// The inverse, for pictures of what the model saw.
void unpatchify(std::span<const uint8_t> patches, Size size, int64_t patch_size, int64_t merge,
                std::span<uint8_t> rgb);

}  // namespace vl3::preprocess
