// BMP as Pillow reads it; own code, since no decoder among the dependencies gives the same 5- and 6-bit
// expansion. Read: 1, 4, 8 (palette, also RLE4 and RLE8), 16, 24 and 32 bits; bottom-up and top-down; OS/2
// and Windows headers.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/check.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

enum Compression : uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitfields = 3 };

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0, compression = kRaw, colors = 0;
  std::array<uint32_t, 4> masks{};  ///< red, green, blue, alpha
  size_t palette_at = 0, palette_entry = 4, pixels_at = 0;
};

class Reader {
 public:
  Reader(std::string_view data, const std::string& name) : data_(data), name_(name) {}
  uint32_t u8(size_t at) const {
    VL3_CHECK(at < data_.size(), kCorrupt, "{}: BMP cut off at byte {}", name_, data_.size());
    return static_cast<unsigned char>(data_[at]);
  }
  uint32_t u16(size_t at) const { return u8(at) | u8(at + 1) << 8; }
  uint32_t u32(size_t at) const { return u16(at) | u16(at + 2) << 16; }
  size_t size() const { return data_.size(); }
  const uint8_t* at(size_t offset) const { return reinterpret_cast<const uint8_t*>(data_.data()) + offset; }

 private:
  std::string_view data_;
  const std::string& name_;
};

Header read_header(const Reader& in, const std::string& name) {
  Header h;
  const uint32_t size = in.u32(14);
  h.pixels_at = in.u32(10);
  h.palette_at = 14 + size_t{size};
  if (size == 12) {
    h.width = in.u16(18);
    h.height = in.u16(20);
    h.bits = in.u16(24);
    h.palette_entry = 3;
  } else {
    VL3_CHECK(size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124,
              kUnsupported, "{}: BMP header of {} bytes", name, size);
    h.width = static_cast<int32_t>(in.u32(18));
    h.height = static_cast<int32_t>(in.u32(22));
    h.top_down = h.height < 0;
    if (h.top_down) h.height = -h.height;
    h.bits = in.u16(28);
    h.compression = in.u32(30);
    h.colors = in.u32(46);
    if (h.compression == kBitfields) {
      for (size_t i = 0; i < (size >= 56 ? 4u : 3u); ++i) h.masks[i] = in.u32(54 + 4 * i);
      if (size == 40) h.palette_at += 12;
    }
  }
  VL3_CHECK(h.bits == 1 || h.bits == 4 || h.bits == 8 || h.bits == 16 || h.bits == 24 || h.bits == 32,
            kUnsupported, "{}: BMP of {} bits a pixel", name, h.bits);
  VL3_CHECK(h.compression <= kBitfields, kUnsupported, "{}: BMP compression {}", name, h.compression);
  if (h.colors == 0) h.colors = h.bits <= 8 ? 1u << h.bits : 0;
  VL3_CHECK(h.bits > 8 || h.colors <= 65536, kCorrupt, "{}: BMP palette of {} colours", name, h.colors);
  // Some writers leave the place of the pixels out, or forget the palette in front of them.
  const size_t palette_bytes = h.bits <= 8 ? h.palette_entry * h.colors : 0;
  if (h.pixels_at == 0 || h.pixels_at == 14 + size_t{size}) h.pixels_at = h.palette_at + palette_bytes;
  return h;
}

// Two- and four-byte pixels by their masks, at the positions Pillow knows.
std::array<uint32_t, 3> colour_masks(const Header& h, const std::string& name) {
  if (h.compression != kBitfields) {
    if (h.bits == 16) return {0x7c00, 0x3e0, 0x1f};
    return {0xff0000, 0xff00, 0xff};
  }
  const std::array<uint32_t, 3> rgb = {h.masks[0], h.masks[1], h.masks[2]};
  const bool known = h.bits == 16 ? rgb == std::array<uint32_t, 3>{0xf800, 0x7e0, 0x1f} ||
                                        rgb == std::array<uint32_t, 3>{0x7c00, 0x3e0, 0x1f}
                     : h.bits == 24 ? rgb == std::array<uint32_t, 3>{0xff0000, 0xff00, 0xff}
                                    : h.bits == 32;
  VL3_CHECK(known, kUnsupported, "{}: BMP bit fields {:#x} {:#x} {:#x}", name, rgb[0], rgb[1], rgb[2]);
  if (rgb == std::array<uint32_t, 3>{0, 0, 0}) return {0xff0000, 0xff00, 0xff};
  for (const uint32_t mask : rgb) {
    VL3_CHECK(h.bits != 32 || (std::popcount(mask) == 8 && std::countr_zero(mask) % 8 == 0), kUnsupported,
              "{}: BMP bit fields {:#x} {:#x} {:#x}", name, rgb[0], rgb[1], rgb[2]);
  }
  return rgb;
}

// Palette indices, in file order of rows. Source: BmpRleDecoder of Pillow, its treatment of broken runs
// included.
std::vector<uint8_t> decode_rle(const Reader& in, const Header& h) {
  const auto width = static_cast<size_t>(h.width);
  const size_t wanted = width * static_cast<size_t>(h.height);
  std::vector<uint8_t> out;
  out.reserve(wanted);
  const bool rle4 = h.compression == kRle4;
  size_t at = h.pixels_at;
  size_t x = 0;
  while (out.size() < wanted && at + 2 <= in.size()) {
    size_t count = in.u8(at);
    const uint32_t value = in.u8(at + 1);
    at += 2;
    if (count > 0) {
      count = x + count > width ? (x < width ? width - x : 0) : count;
      for (size_t i = 0; i < count; ++i) {
        out.push_back(static_cast<uint8_t>(!rle4 ? value : i % 2 == 0 ? value >> 4 : value & 15));
      }
      x += count;
    } else if (value == 0) {
      while (out.size() % width != 0) out.push_back(0);
      x = 0;
    } else if (value == 1) {
      break;
    } else if (value == 2) {
      if (at + 2 > in.size()) break;
      const size_t skip = in.u8(at) + in.u8(at + 1) * width;
      at += 2;
      out.insert(out.end(), std::min(skip, wanted - out.size()), 0);
      x = out.size() % width;
    } else {
      const size_t bytes = rle4 ? value / 2 : value;
      for (size_t i = 0; i < bytes && at + i < in.size(); ++i) {
        const uint32_t byte = in.u8(at + i);
        if (rle4) out.push_back(static_cast<uint8_t>(byte >> 4));
        out.push_back(static_cast<uint8_t>(rle4 ? byte & 15 : byte));
      }
      if (at + bytes > in.size()) break;
      at += bytes;
      x += value;
      at += at % 2;
    }
  }
  return out;
}

}  // namespace

Still decode_bmp(const StillRequest& request) {
  const Reader in(request.bytes, request.name);
  Header h = read_header(in, request.name);
  Still still;
  set_size(still, h.width, h.height, request);
  if (request.header_only) return still;
  const auto width = static_cast<size_t>(h.width);
  const auto height = static_cast<size_t>(h.height);

  std::vector<std::array<uint8_t, 3>> palette(h.bits <= 8 ? 256 : 0);
  for (size_t i = 0; i < palette.size() && i < h.colors; ++i) {
    const size_t at = h.palette_at + i * h.palette_entry;
    palette[i] = {static_cast<uint8_t>(in.u8(at + 2)), static_cast<uint8_t>(in.u8(at + 1)),
                  static_cast<uint8_t>(in.u8(at))};
  }
  const auto out_row = [&](size_t y) {
    return still.rgb.data() + 3 * width * (h.top_down ? y : height - 1 - y);
  };

  if (h.compression == kRle8 || h.compression == kRle4) {
    VL3_CHECK(h.bits <= 8, kUnsupported, "{}: run-length BMP of {} bits", request.name, h.bits);
    const std::vector<uint8_t> indices = decode_rle(in, h);
    VL3_CHECK(indices.size() >= width * height, kCorrupt, "{}: BMP runs give {} of {} pixels", request.name,
              indices.size(), width * height);
    for (size_t i = 0; i < width * height; ++i) {
      std::memcpy(out_row(i / width) + 3 * (i % width), palette[indices[i]].data(), 3);
    }
    return still;
  }
  const size_t stride = (width * h.bits + 31) / 32 * 4;
  // The last row's padding may be missing.
  const size_t needed = stride * (height - 1) + (width * h.bits + 7) / 8;
  VL3_CHECK(h.pixels_at <= in.size() && needed <= in.size() - h.pixels_at, kCorrupt,
            "{}: BMP cut off: {} bytes of pixels, {} needed", request.name,
            in.size() - std::min(h.pixels_at, in.size()), needed);
  const std::array<uint32_t, 3> masks =
      h.bits > 8 ? colour_masks(h, request.name) : std::array<uint32_t, 3>{};
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* row = in.at(h.pixels_at + y * stride);
    uint8_t* out = out_row(y);
    for (size_t x = 0; x < width; ++x, out += 3) {
      if (h.bits <= 8) {
        const size_t bit = x * h.bits;
        const unsigned index = row[bit / 8] >> (8 - h.bits - bit % 8) & ((1u << h.bits) - 1);
        std::memcpy(out, palette[index].data(), 3);
        continue;
      }
      uint32_t pixel = 0;
      for (size_t i = 0; i < h.bits / 8; ++i)
        pixel |= static_cast<uint32_t>(row[x * (h.bits / 8) + i]) << (8 * i);
      for (size_t c = 0; c < 3; ++c) {
        const uint32_t level = (pixel & masks[c]) >> std::countr_zero(masks[c]);
        out[c] = static_cast<uint8_t>(level * 255 / ((1u << std::popcount(masks[c])) - 1));
      }
    }
  }
  return still;
}

}  // namespace vl3::media
