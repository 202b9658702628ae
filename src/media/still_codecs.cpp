#include "media/still_codecs.h"

#include "core/check.h"

namespace vl3::media {

void set_size(Still& still, int64_t width, int64_t height, const StillRequest& request) {
  VL3_CHECK(width >= 1 && height >= 1 && width <= INT32_MAX && height <= INT32_MAX, kCorrupt,
            "{}: says its size is {} x {}", request.name, width, height);
  VL3_CHECK(width <= request.max_pixels / height, kResourceExhausted,
            "{}: {} x {} pixels, the limit is {} in all", request.name, width, height, request.max_pixels);
  still.width = static_cast<int>(width);
  still.height = static_cast<int>(height);
  if (!request.header_only) still.rgb.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
}

void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* out) {
  const int light = 255 - cmyk[3];
  for (int i = 0; i < 3; ++i) {
    const int product = cmyk[i] * light + 128;  // rounded division by 255, as Pillow's MULDIV255
    out[i] = clip_grey(light - (((product >> 8) + product) >> 8));
  }
}

}  // namespace vl3::media
