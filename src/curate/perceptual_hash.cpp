#include "curate/perceptual_hash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/check.h"

namespace vl3::curate {
namespace {

constexpr int kSide = 64, kLow = 16;

// Area averages: [kSide, kSide, 3] in 0 … 255. Cells that fall between pixels share them by area.
std::vector<float> shrink(const media::Frame& picture) {
  std::vector<float> rows(static_cast<size_t>(picture.height) * kSide * 3, 0);
  const double step_x = static_cast<double>(picture.width) / kSide;
  for (int y = 0; y < picture.height; ++y) {
    const uint8_t* in = picture.rgb.data() + static_cast<size_t>(y) * static_cast<size_t>(picture.width) * 3;
    for (int cell = 0; cell < kSide; ++cell) {
      const double begin = cell * step_x, end = begin + step_x;
      for (int x = static_cast<int>(begin); x < picture.width && x < end; ++x) {
        const auto part =
            static_cast<float>((std::min(end, x + 1.0) - std::max(begin, static_cast<double>(x))) / step_x);
        for (size_t c = 0; c < 3; ++c)
          rows[(static_cast<size_t>(y) * kSide + static_cast<size_t>(cell)) * 3 + c] +=
              part * static_cast<float>(in[static_cast<size_t>(x) * 3 + c]);
      }
    }
  }
  std::vector<float> small(static_cast<size_t>(kSide) * kSide * 3, 0);
  const double step_y = static_cast<double>(picture.height) / kSide;
  for (int cell = 0; cell < kSide; ++cell) {
    const double begin = cell * step_y, end = begin + step_y;
    for (int y = static_cast<int>(begin); y < picture.height && y < end; ++y) {
      const auto part =
          static_cast<float>((std::min(end, y + 1.0) - std::max(begin, static_cast<double>(y))) / step_y);
      for (size_t i = 0; i < kSide * 3; ++i)
        small[static_cast<size_t>(cell) * kSide * 3 + i] +=
            part * rows[static_cast<size_t>(y) * kSide * 3 + i];
    }
  }
  return small;
}

const std::vector<float>& cosines() {  // [kLow, kSide]
  static const std::vector<float> table = [] {
    std::vector<float> values(static_cast<size_t>(kLow) * kSide);
    for (int k = 0; k < kLow; ++k) {
      for (int i = 0; i < kSide; ++i)
        values[static_cast<size_t>(k * kSide + i)] =
            static_cast<float>(std::cos(std::numbers::pi * k * (i + 0.5) / kSide));
    }
    return values;
  }();
  return table;
}

PictureHash hash_of(const std::vector<float>& small) {
  const std::vector<float>& table = cosines();
  std::vector<float> halves(static_cast<size_t>(kSide) * kLow, 0);  // [row, k]
  for (size_t y = 0; y < kSide; ++y) {
    for (size_t x = 0; x < kSide; ++x) {
      const float* rgb = &small[(y * kSide + x) * 3];
      const float luma = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
      for (size_t k = 0; k < kLow; ++k) halves[y * kLow + k] += luma * table[k * kSide + x];
    }
  }
  std::vector<float> low(static_cast<size_t>(kLow) * kLow, 0);
  for (size_t v = 0; v < kLow; ++v) {
    for (size_t y = 0; y < kSide; ++y) {
      for (size_t u = 0; u < kLow; ++u) low[v * kLow + u] += table[v * kSide + y] * halves[y * kLow + u];
    }
  }
  low[0] = 0;  // the mean says nothing about the picture
  std::vector<float> sorted = low;
  std::nth_element(sorted.begin(), sorted.begin() + 128, sorted.end());
  PictureHash hash{};
  for (size_t i = 0; i < low.size(); ++i) {
    if (low[i] > sorted[128]) hash[i / 64] |= uint64_t{1} << (i % 64);
  }
  return hash;
}

Thumb thumb_of(const std::vector<float>& small) {
  constexpr size_t kCell = kSide / 8;
  std::array<float, 192> sums{};
  for (size_t y = 0; y < kSide; ++y) {
    for (size_t x = 0; x < kSide; ++x) {
      for (size_t c = 0; c < 3; ++c)
        sums[(y / kCell * 8 + x / kCell) * 3 + c] += small[(y * kSide + x) * 3 + c];
    }
  }
  Thumb thumb{};
  for (size_t i = 0; i < thumb.size(); ++i)
    thumb[i] = static_cast<uint8_t>(std::min(15.0f, sums[i] / static_cast<float>(kCell * kCell) / 16));
  return thumb;
}

constexpr char kDigits[] = "0123456789abcdef";

uint8_t digit(char c, const std::string& text) {
  const char* found = std::find(kDigits, kDigits + 16, c);
  VL3_CHECK(found != kDigits + 16, kCorrupt, "\"{:.20}\": not hexadecimal", text);
  return static_cast<uint8_t>(found - kDigits);
}

}  // namespace

Likeness likeness_of(const media::Frame& picture) {
  const std::vector<float> small = shrink(picture);
  return {hash_of(small), thumb_of(small)};
}

int hash_distance(const PictureHash& a, const PictureHash& b) {
  int bits = 0;
  for (size_t i = 0; i < a.size(); ++i) bits += std::popcount(a[i] ^ b[i]);
  return bits;
}

ThumbDistance thumb_distance(const Thumb& a, const Thumb& b) {
  double shift = 0;  // of the whole picture: exposure
  for (size_t i = 0; i < a.size(); ++i) shift += (a[i] - b[i]) / static_cast<double>(a.size());
  ThumbDistance distance;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i] - shift);
    distance.mean += difference / static_cast<double>(a.size());
    distance.most = std::max(distance.most, difference);
  }
  return distance;
}

std::string hash_text(const PictureHash& hash) {
  return fmt::format("{:016x}{:016x}{:016x}{:016x}", hash[0], hash[1], hash[2], hash[3]);
}

std::string thumb_text(const Thumb& thumb) {
  std::string text(thumb.size(), '0');
  for (size_t i = 0; i < thumb.size(); ++i) text[i] = kDigits[thumb[i] & 15];
  return text;
}

PictureHash parse_hash(const std::string& text) {
  VL3_CHECK(text.size() == 64, kCorrupt, "a picture hash has 64 digits, found {}", text.size());
  PictureHash hash{};
  for (size_t i = 0; i < text.size(); ++i) hash[i / 16] = hash[i / 16] << 4 | digit(text[i], text);
  return hash;
}

Thumb parse_thumb(const std::string& text) {
  VL3_CHECK(text.size() == 192, kCorrupt, "a thumbnail has 192 digits, found {}", text.size());
  Thumb thumb{};
  for (size_t i = 0; i < text.size(); ++i) thumb[i] = digit(text[i], text);
  return thumb;
}

}  // namespace vl3::curate
