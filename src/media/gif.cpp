// The first picture of a GIF as Pillow gives it. Own code, because of transparency: Pillow's convert("RGB")
// keeps the transparent palette entry's colour, while FFmpeg's decoder replaces it, and no other decoder is a
// dependency.
#include "media/gif.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/check.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

struct ImageBlock {
  int left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  std::string_view palette;  // 3 bytes an entry; empty: none of its own
  int transparent = -1;      // palette index
  size_t data = 0;           // offset of the LZW minimum code size
};

// Walks the blocks of a file, whatever is in them.
class BlockReader {
 public:
  explicit BlockReader(std::string_view gif) : gif_(gif) {
    if (gif_.size() < 13) return;
    screen_width = word(6);
    screen_height = word(8);
    at_ = 13;
    const int flags = byte(10);
    if (flags & 0x80) palette = take_palette(flags);
    open_ = true;
  }

  // Moves to the next image descriptor and past it (not past its data). False at the trailer or the end of
  // the data.
  bool next(ImageBlock& image) {
    image = ImageBlock();
    while (open_ && at_ < gif_.size()) {
      const int kind = byte(at_++);
      if (kind == ';') break;
      if (kind == '!') {
        const bool graphic_control = byte(at_) == 0xf9 && byte(at_ + 1) >= 4;
        if (graphic_control && (byte(at_ + 2) & 1)) image.transparent = byte(at_ + 5);
        ++at_;
        skip_sub_blocks();
      } else if (kind == ',') {
        if (at_ + 10 > gif_.size()) break;
        image.left = word(at_);
        image.top = word(at_ + 2);
        image.width = word(at_ + 4);
        image.height = word(at_ + 6);
        const int flags = byte(at_ + 8);
        image.interlaced = (flags & 0x40) != 0;
        at_ += 9;
        if (flags & 0x80) image.palette = take_palette(flags);
        image.data = at_;
        if (at_ >= gif_.size()) break;
        return true;
      }
    }
    open_ = false;
    return false;
  }

  void skip_image_data() {
    ++at_;
    skip_sub_blocks();
  }

  int screen_width = 0, screen_height = 0;
  std::string_view palette;

 private:
  int byte(size_t at) const { return at < gif_.size() ? static_cast<unsigned char>(gif_[at]) : 0; }
  int word(size_t at) const { return byte(at) | byte(at + 1) << 8; }
  std::string_view take_palette(int flags) {
    const size_t size = size_t{3} << ((flags & 7) + 1);
    const std::string_view entries = gif_.substr(std::min(at_, gif_.size()), size);
    at_ += size;
    return entries;
  }
  void skip_sub_blocks() {
    while (at_ < gif_.size()) {
      const int size = byte(at_);
      at_ += 1 + static_cast<size_t>(size);
      if (size == 0) return;
    }
    open_ = false;
  }

  std::string_view gif_;
  size_t at_ = 0;
  bool open_ = false;
};

// Variable-length codes out of the sub-blocks.
class CodeReader {
 public:
  explicit CodeReader(std::string_view blocks) : blocks_(blocks) {}
  // -1 when the data ends.
  int next(int bits) {
    while (count_ < bits) {
      if (left_ == 0) {
        if (at_ >= blocks_.size()) return -1;
        left_ = static_cast<unsigned char>(blocks_[at_++]);
        if (left_ == 0) return -1;
        continue;
      }
      if (at_ >= blocks_.size()) return -1;
      buffer_ |= static_cast<uint32_t>(static_cast<unsigned char>(blocks_[at_++])) << count_;
      count_ += 8;
      --left_;
    }
    const int code = static_cast<int>(buffer_ & ((1u << bits) - 1));
    buffer_ >>= bits;
    count_ -= bits;
    return code;
  }

 private:
  std::string_view blocks_;
  size_t at_ = 0;
  int left_ = 0;
  uint32_t buffer_ = 0;
  int count_ = 0;
};

// Fills `pixels` with palette indices; false when the data is broken or ends before the last pixel.
bool lzw_decode(std::string_view data, std::vector<uint8_t>& pixels) {
  constexpr int kTableSize = 4096;
  const int bits = data.empty() ? 99 : static_cast<unsigned char>(data[0]);
  if (bits > 11) return false;
  const int clear = 1 << bits;
  std::array<uint16_t, kTableSize> prefix{};
  std::array<uint8_t, kTableSize> suffix{};
  std::array<uint8_t, kTableSize> stack{};
  CodeReader codes(data.substr(1));
  int width = bits + 1;
  int next = clear + 2;
  int previous = -1;
  uint8_t first = 0;
  size_t done = 0;
  while (done < pixels.size()) {
    const int code = codes.next(width);
    if (code < 0 || code == clear + 1) return false;
    if (code == clear) {
      width = bits + 1;
      next = clear + 2;
      previous = -1;
      continue;
    }
    if (previous < 0) {
      if (code >= clear) return false;
      first = static_cast<uint8_t>(code);
      pixels[done++] = first;
      previous = code;
      continue;
    }
    if (code > next || (code == next && next >= kTableSize)) return false;
    size_t height = 0;
    int walk = code;
    if (code == next) {
      stack[height++] = first;
      walk = previous;
    }
    while (walk >= clear) {
      if (height >= stack.size() - 1) return false;
      stack[height++] = suffix[static_cast<size_t>(walk)];
      walk = prefix[static_cast<size_t>(walk)];
    }
    first = static_cast<uint8_t>(walk);
    stack[height++] = first;
    if (next < kTableSize) {
      prefix[static_cast<size_t>(next)] = static_cast<uint16_t>(previous);
      suffix[static_cast<size_t>(next)] = first;
      if (next == (1 << width) - 1 && width < 12) ++width;
      ++next;
    }
    previous = code;
    while (height > 0 && done < pixels.size()) pixels[done++] = stack[--height];
  }
  return true;
}

std::vector<int> row_order(int height, bool interlaced) {
  std::vector<int> rows(static_cast<size_t>(height));
  std::iota(rows.begin(), rows.end(), 0);
  if (!interlaced) return rows;
  rows.clear();
  constexpr std::array<std::array<int, 2>, 4> kPasses = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  for (const auto& [first, step] : kPasses) {
    for (int row = first; row < height; row += step) rows.push_back(row);
  }
  return rows;
}

}  // namespace

bool gif_has_frames(std::string_view gif, int count) {
  BlockReader blocks(gif);
  ImageBlock image;
  int found = 0;
  while (found < count && blocks.next(image)) {
    ++found;
    blocks.skip_image_data();
  }
  return found >= count;
}

Still decode_gif(const StillRequest& request) {
  BlockReader blocks(request.bytes);
  ImageBlock image;
  VL3_CHECK(blocks.next(image), kCorrupt, "{}: a GIF without an image, or cut off before it", request.name);
  VL3_CHECK(image.width > 0 && image.height > 0, kCorrupt, "{}: GIF image of {} x {} pixels", request.name,
            image.width, image.height);
  Still still;
  // As Pillow: an image that reaches over the edge widens the screen.
  set_size(still, std::max(blocks.screen_width, image.left + image.width),
           std::max(blocks.screen_height, image.top + image.height), request);
  if (request.header_only) return still;

  const auto width = static_cast<size_t>(image.width);
  std::vector<uint8_t> indices(width * static_cast<size_t>(image.height));
  VL3_CHECK(lzw_decode(request.bytes.substr(image.data), indices), kCorrupt,
            "{}: GIF data is broken or cut off", request.name);
  const std::string_view palette = image.palette.empty() ? blocks.palette : image.palette;
  std::array<std::array<uint8_t, 3>, 256> colours{};
  for (size_t i = 0; i < colours.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) {
      colours[i][c] = i * 3 + c < palette.size() ? static_cast<uint8_t>(palette[i * 3 + c])
                      : palette.empty()          ? static_cast<uint8_t>(i)
                                                 : uint8_t{0};
    }
  }
  const auto& ground = colours[image.transparent >= 0 ? static_cast<size_t>(image.transparent) : 0];
  for (size_t i = 0; i < still.rgb.size(); ++i) still.rgb[i] = ground[i % 3];
  const uint8_t* index = indices.data();
  for (const int row : row_order(image.height, image.interlaced)) {
    const size_t start = static_cast<size_t>(image.top + row) * static_cast<size_t>(still.width);
    uint8_t* out = &still.rgb[(start + static_cast<size_t>(image.left)) * 3];
    for (size_t x = 0; x < width; ++x, out += 3) std::copy_n(colours[*index++].data(), 3, out);
  }
  return still;
}

}  // namespace vl3::media
