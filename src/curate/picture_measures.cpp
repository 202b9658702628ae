#include "curate/picture_measures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace vl3::curate {
namespace {

constexpr int kReach = 4;  // of the low-pass, to either side

// Of one direction; `step` walks along it, `lines` of `length` values begin `next` apart.
double blur_along(const Luma& luma, int lines, int length, size_t next, size_t step) {
  double differences = 0, taken = 0;
  std::vector<int> sums(static_cast<size_t>(length));
  for (int line = 0; line < lines; ++line) {
    const uint8_t* row = luma.values.data() + static_cast<size_t>(line) * next;
    const auto value = [&](int i) {
      return static_cast<int>(row[static_cast<size_t>(std::clamp(i, 0, length - 1)) * step]);
    };
    int sum = 0;
    for (int i = -kReach; i <= kReach; ++i) sum += value(i);
    for (int i = 0; i < length; ++i) {
      sums[static_cast<size_t>(i)] = sum;
      sum += value(i + kReach + 1) - value(i - kReach);
    }
    for (int i = 1; i < length; ++i) {
      const double sharp = std::abs(value(i) - value(i - 1));
      const double soft =
          std::abs(sums[static_cast<size_t>(i)] - sums[static_cast<size_t>(i) - 1]) / (2.0 * kReach + 1);
      differences += sharp;
      taken += std::max(0.0, sharp - soft);
    }
  }
  return differences > 0 ? (differences - taken) / differences : 0;
}

double laplacian_variance(const Luma& luma) {
  if (luma.height < 3 || luma.width < 3) return 0;
  double sum = 0, squares = 0;
  for (int y = 1; y + 1 < luma.height; ++y) {
    for (int x = 1; x + 1 < luma.width; ++x) {
      const int value =
          luma.at(y - 1, x) + luma.at(y + 1, x) + luma.at(y, x - 1) + luma.at(y, x + 1) - 4 * luma.at(y, x);
      sum += value;
      squares += static_cast<double>(value) * value;
    }
  }
  const double count = static_cast<double>(luma.height - 2) * (luma.width - 2);
  return squares / count - (sum / count) * (sum / count);
}

// Colours of equal luma are a contrast, too.
double contrast_of(const media::Frame& picture) {
  double most = 0;
  const auto count = static_cast<double>(picture.rgb.size() / 3);
  for (size_t c = 0; c < 3; ++c) {
    uint64_t sum = 0, squares = 0;
    for (size_t i = c; i < picture.rgb.size(); i += 3) {
      const uint64_t value = picture.rgb[i];
      sum += value;
      squares += value * value;
    }
    const double mean = static_cast<double>(sum) / count;
    most = std::max(most, static_cast<double>(squares) / count - mean * mean);
  }
  return std::sqrt(std::max(0.0, most));
}

}  // namespace

Luma luma_of(const media::Frame& picture, int max_side) {
  const int factor = std::max(1, (std::max(picture.height, picture.width) + max_side - 1) / max_side);
  Luma luma{std::max(1, picture.height / factor), std::max(1, picture.width / factor), {}};
  luma.values.reserve(static_cast<size_t>(luma.height) * static_cast<size_t>(luma.width));
  for (int y = 0; y < luma.height; ++y) {
    for (int x = 0; x < luma.width; ++x) {
      uint64_t sum = 0, count = 0;
      for (int v = y * factor; v < std::min(picture.height, (y + 1) * factor); ++v) {
        for (int u = x * factor; u < std::min(picture.width, (x + 1) * factor); ++u, ++count) {
          const uint8_t* rgb =
              picture.rgb.data() +
              (static_cast<size_t>(v) * static_cast<size_t>(picture.width) + static_cast<size_t>(u)) * 3;
          sum += 299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2];
        }
      }
      luma.values.push_back(static_cast<uint8_t>((sum + 500 * count) / (1000 * count)));
    }
  }
  return luma;
}

PictureMeasures measure(const media::Frame& picture) {
  const Luma luma = luma_of(picture);
  std::array<int64_t, 256> histogram{};
  for (const uint8_t value : luma.values) ++histogram[value];

  PictureMeasures measures;
  const auto count = static_cast<double>(luma.values.size());
  double sum = 0;
  for (size_t value = 0; value < histogram.size(); ++value) {
    const auto share = static_cast<double>(histogram[value]) / count;
    sum += share * static_cast<double>(value);
    if (value < 16) measures.dark_share += share;
    if (value > 252) measures.bright_share += share;
  }
  for (size_t bin = 0; bin < 64; ++bin) {
    double share = 0;
    for (size_t value = bin * 4; value < bin * 4 + 4; ++value)
      share += static_cast<double>(histogram[value]) / count;
    if (share > 0) measures.entropy -= share * std::log2(share);
  }
  measures.exposure = sum;
  measures.contrast = contrast_of(picture);
  measures.sharpness = laplacian_variance(luma);
  const auto width = static_cast<size_t>(luma.width);
  measures.blur = std::max(blur_along(luma, luma.height, luma.width, width, 1),
                           blur_along(luma, luma.width, luma.height, 1, width));
  return measures;
}

}  // namespace vl3::curate
