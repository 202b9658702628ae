#include "media/yuv_to_rgb.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vl3::media {
namespace {

// Fractions of 64, but for luma: a factor of 1/65536 on the value repeated in two bytes, and an offset.
struct Coefficients {
  int luma, offset, blue_cb, green_cb, green_cr, red_cr;
};

Coefficients coefficients(YuvMatrix matrix, bool full_range) {
  switch (matrix) {
    case YuvMatrix::kBt709:
      return full_range ? Coefficients{16320, 32, 119, 12, 30, 101}
                        : Coefficients{18997, -1160, 128, 14, 34, 115};
    case YuvMatrix::kBt2020:
      return full_range ? Coefficients{16320, 32, 120, 11, 37, 94}
                        : Coefficients{19003, -1160, 128, 12, 42, 107};
    case YuvMatrix::kBt601:
      break;
  }
  return full_range ? Coefficients{16320, 32, 113, 22, 46, 90} : Coefficients{18997, -1160, 128, 25, 52, 102};
}

uint8_t clip(int value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// The chroma row of one picture row: weights 9, 3, 3, 1 (4:2:0) or 3, 1 (4:2:2), the nearest sample weighing
// most.
void upsample_row(const uint8_t* plane, int stride, const YuvPlanes& p, int y, uint8_t* out) {
  const int rows = (p.height + (1 << p.shift_y) - 1) >> p.shift_y;
  const int columns = (p.width + (1 << p.shift_x) - 1) >> p.shift_x;
  const int near_row = y >> p.shift_y;
  const int far_row = p.shift_y == 0 ? near_row : std::clamp(near_row + (y % 2 == 1 ? 1 : -1), 0, rows - 1);
  const uint8_t* near = plane + static_cast<std::ptrdiff_t>(near_row) * stride;
  const uint8_t* far = plane + static_cast<std::ptrdiff_t>(far_row) * stride;
  for (int x = 0; x < p.width; ++x) {
    const int a = x >> p.shift_x;
    // libyuv leaves the last column alone, in pictures of odd width, too.
    const int b =
        p.shift_x == 0 || x == p.width - 1 ? a : std::clamp(a + (x % 2 == 1 ? 1 : -1), 0, columns - 1);
    if (p.shift_y == 1) {
      out[x] = static_cast<uint8_t>((9 * near[a] + 3 * near[b] + 3 * far[a] + far[b] + 8) >> 4);
    } else {
      out[x] = p.shift_x == 1 ? static_cast<uint8_t>((3 * near[a] + near[b] + 2) >> 2) : near[a];
    }
  }
}

// libavif's own floating-point step for pictures without colour.
void grey_to_rgb(const YuvPlanes& planes, bool full_range, uint8_t* rgb) {
  for (int y = 0; y < planes.height; ++y) {
    const uint8_t* luma = planes.y + static_cast<std::ptrdiff_t>(y) * planes.y_stride;
    for (int x = 0; x < planes.width; ++x, rgb += 3) {
      const float light =
          full_range ? static_cast<float>(luma[x]) / 255.0F : static_cast<float>(luma[x] - 16) / 219.0F;
      const auto level = static_cast<uint8_t>(0.5F + std::clamp(light, 0.0F, 1.0F) * 255.0F);
      rgb[0] = rgb[1] = rgb[2] = level;
    }
  }
}

}  // namespace

void yuv_to_rgb(const YuvPlanes& planes, YuvMatrix matrix, bool full_range, uint8_t* rgb) {
  if (planes.cb == nullptr) {
    grey_to_rgb(planes, full_range, rgb);
    return;
  }
  const Coefficients k = coefficients(matrix, full_range);
  std::vector<uint8_t> cb(static_cast<size_t>(planes.width));
  std::vector<uint8_t> cr(static_cast<size_t>(planes.width));
  for (int y = 0; y < planes.height; ++y) {
    upsample_row(planes.cb, planes.cb_stride, planes, y, cb.data());
    upsample_row(planes.cr, planes.cr_stride, planes, y, cr.data());
    const uint8_t* luma = planes.y + static_cast<std::ptrdiff_t>(y) * planes.y_stride;
    for (int x = 0; x < planes.width; ++x, rgb += 3) {
      const int light = ((luma[x] * 0x0101 * k.luma) >> 16) + k.offset;
      const int u = cb[static_cast<size_t>(x)] - 128;
      const int v = cr[static_cast<size_t>(x)] - 128;
      rgb[0] = clip((light + v * k.red_cr) >> 6);
      rgb[1] = clip((light - u * k.green_cb - v * k.green_cr) >> 6);
      rgb[2] = clip((light + u * k.blue_cb) >> 6);
    }
  }
}

}  // namespace vl3::media
