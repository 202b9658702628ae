#include "media/png_writer.h"

#include <png.h>

#include "core/check.h"

namespace vl3::media {

std::string encode_png(const Frame& picture) {
  VL3_CHECK(
      picture.height > 0 && picture.width > 0 &&
          picture.rgb.size() == static_cast<size_t>(picture.height) * static_cast<size_t>(picture.width) * 3,
      kInvalidArgument, "a picture of {}x{} with {} bytes cannot be written", picture.width, picture.height,
      picture.rgb.size());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  VL3_CHECK(png_image_write_get_memory_size(image, size, 0, picture.rgb.data(), 0, nullptr) != 0, kInternal,
            "PNG: {}", image.message);
  std::string bytes(size, '\0');
  VL3_CHECK(png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.rgb.data(), 0, nullptr) != 0,
            kInternal, "PNG: {}", image.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace vl3::media
