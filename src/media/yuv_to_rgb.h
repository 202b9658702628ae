// 8-bit YCbCr pictures to RGB with libyuv's integer arithmetic, which is what Pillow's AVIF reader uses:
// chroma smoothly upsampled, coefficients of 6 fractional bits. Measured equal to Pillow 12.3 to the bit.
// Pure functions.
#pragma once

#include <cstdint>

namespace vl3::media {

struct YuvPlanes {
  const uint8_t* y = nullptr;
  const uint8_t* cb = nullptr;  ///< null, like cr: a grey picture
  const uint8_t* cr = nullptr;
  int y_stride = 0, cb_stride = 0, cr_stride = 0;  ///< bytes
  int width = 0, height = 0;                       ///< of the luma plane
  int shift_x = 0, shift_y = 0;                    ///< chroma subsampling as a power of two: 4:2:0 is 1, 1
};

enum class YuvMatrix { kBt601, kBt709, kBt2020 };

/// @param rgb  [height, width, 3]
void yuv_to_rgb(const YuvPlanes& planes, YuvMatrix matrix, bool full_range, uint8_t* rgb);

}  // namespace vl3::media
