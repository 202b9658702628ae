#include "support/png.h"

#include <png.h>

#include "core/check.h"

namespace vl3::test {

Picture read_png(const std::filesystem::path& path) {
  VL3_CHECK(std::filesystem::exists(path), kNotFound, "{}: no such picture", path.string());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  VL3_CHECK(png_image_begin_read_from_file(&image, path.c_str()) != 0, kCorrupt, "{}: {}", path.string(),
            image.message);
  image.format = PNG_FORMAT_RGB;
  Picture picture{image.height, image.width, std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  VL3_CHECK(png_image_finish_read(&image, nullptr, picture.rgb.data(), 0, nullptr) != 0, kCorrupt, "{}: {}",
            path.string(), image.message);
  return picture;
}

}  // namespace vl3::test
