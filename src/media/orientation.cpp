#include "media/orientation.h"

#include <cstring>
#include <optional>
#include <utility>

namespace vl3::media {
namespace {

class TiffBytes {
 public:
  explicit TiffBytes(std::string_view data) : data_(data), big_(data.starts_with("MM")) {}
  std::optional<uint32_t> read(uint64_t at, int size) const {
    if (at + static_cast<uint64_t>(size) > data_.size()) return std::nullopt;
    uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      const auto byte = static_cast<unsigned char>(data_[at + static_cast<uint64_t>(i)]);
      value |= static_cast<uint32_t>(byte) << (8 * (big_ ? size - 1 - i : i));
    }
    return value;
  }

 private:
  std::string_view data_;
  bool big_;
};

}  // namespace

int exif_orientation(std::string_view exif) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  while (exif.starts_with(kPrefix)) exif.remove_prefix(kPrefix.size());
  if (!exif.starts_with("II") && !exif.starts_with("MM")) return 0;
  const TiffBytes tiff(exif);
  if (tiff.read(2, 2) != 42u) return 0;
  const uint64_t directory = tiff.read(4, 4).value_or(0);
  const uint64_t entries = tiff.read(directory, 2).value_or(0);
  for (uint64_t i = 0; i < entries; ++i) {
    const uint64_t at = directory + 2 + 12 * i;
    const auto tag = tiff.read(at, 2);
    if (!tag) return 0;
    if (*tag != 0x0112) continue;
    const uint32_t type = tiff.read(at + 2, 2).value_or(0);
    if (tiff.read(at + 4, 4) != 1u) return 0;
    const int size = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0;
    const uint32_t value = size == 0 ? 0 : tiff.read(at + 8, size).value_or(0);
    return value <= 8 ? static_cast<int>(value) : 0;
  }
  return 0;
}

int xmp_orientation(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (size_t at = xmp.find(kName); at != std::string_view::npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    if (rest.starts_with("=\""))
      rest.remove_prefix(2);
    else if (rest.starts_with(">"))
      rest.remove_prefix(1);
    else
      continue;
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] <= '8' ? rest[0] - '0' : 0;
  }
  return 0;
}

void apply_orientation(int orientation, int& height, int& width, std::vector<uint8_t>& rgb) {
  if (orientation < 2 || orientation > 8) return;
  const bool swaps = orientation_swaps_sides(orientation);
  const int out_height = swaps ? width : height;
  const int out_width = swaps ? height : width;
  if (!rgb.empty()) {
    // Which source pixel lands at (row, column): counting from which end, and whether rows and columns trade
    // places.
    const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    std::vector<uint8_t> turned(rgb.size());
    uint8_t* out = turned.data();
    for (int row = 0; row < out_height; ++row) {
      for (int column = 0; column < out_width; ++column, out += 3) {
        int y = swaps ? column : row;
        int x = swaps ? row : column;
        if (from_bottom) y = height - 1 - y;
        if (from_right) x = width - 1 - x;
        std::memcpy(
            out, &rgb[(static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3], 3);
      }
    }
    rgb = std::move(turned);
  }
  height = out_height;
  width = out_width;
}

}  // namespace vl3::media
