#include "curate/layout_features.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "curate/picture_measures.h"

namespace vl3::curate {
namespace {

// To length 1 / sqrt(3): three parts make one.
void normalise(float* values, size_t count) {
  double squares = 0;
  for (size_t i = 0; i < count; ++i) squares += static_cast<double>(values[i]) * values[i];
  const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(3 * squares) : 0);
  for (size_t i = 0; i < count; ++i) values[i] *= scale;
}

void fill_thumb(const Thumb& thumb, float* out) {
  float mean = 0;
  for (const uint8_t value : thumb) mean += static_cast<float>(value) / static_cast<float>(thumb.size());
  for (size_t i = 0; i < thumb.size(); ++i) out[i] = static_cast<float>(thumb[i]) - mean;
}

void fill_colours(const media::Frame& picture, float* out) {
  const size_t pixels = picture.rgb.size() / 3, step = std::max<size_t>(1, pixels / 16384);
  for (size_t i = 0; i < pixels; i += step) {
    const uint8_t* rgb = picture.rgb.data() + i * 3;
    out[rgb[0] / 64 * 16 + rgb[1] / 64 * 4 + rgb[2] / 64] += 1;
  }
  for (size_t bin = 0; bin < 64; ++bin)
    out[bin] = std::sqrt(out[bin]);  // a wide background does not drown the rest
}

void fill_edges(const Luma& luma, float* out) {
  for (int y = 1; y + 1 < luma.height; ++y) {
    for (int x = 1; x + 1 < luma.width; ++x) {
      const int dx = luma.at(y, x + 1) - luma.at(y, x - 1), dy = luma.at(y + 1, x) - luma.at(y - 1, x);
      const double size = std::hypot(dx, dy);
      if (size < 16) continue;
      const double turn = (std::atan2(dy, dx) + std::numbers::pi) / (2 * std::numbers::pi);
      const int direction = std::min(7, static_cast<int>(turn * 8));
      out[(y * 4 / luma.height * 4 + x * 4 / luma.width) * 8 + direction] += static_cast<float>(size);
    }
  }
  for (size_t bin = 0; bin < 128; ++bin) out[bin] = std::sqrt(out[bin]);
}

}  // namespace

std::vector<float> layout_features(const media::Frame& picture, const Thumb& thumb) {
  std::vector<float> features(kLayoutSize, 0);
  fill_thumb(thumb, features.data());
  fill_colours(picture, features.data() + 192);
  fill_edges(luma_of(picture, 128), features.data() + 256);
  normalise(features.data(), 192);
  normalise(features.data() + 192, 64);
  normalise(features.data() + 256, 128);
  double squares = 0;
  for (const float value : features) squares += static_cast<double>(value) * value;
  for (float& value : features) value = squares > 0 ? value / static_cast<float>(std::sqrt(squares)) : 0;
  return features;
}

}  // namespace vl3::curate
