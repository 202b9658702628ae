// Reading the golden sets' PNG pictures, with libpng alone (the product's own decoders are under test
// elsewhere).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace vl3::test {

struct Picture {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3]
};

/// For 8-bit RGB, grey or palette files, as the sets hold them. @throws Error(kNotFound), Error(kCorrupt).
Picture read_png(const std::filesystem::path& path);

}  // namespace vl3::test
