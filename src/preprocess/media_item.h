// One image or one video of a request, as the preprocessing rules see it.
#pragma once

#include <cstdint>

namespace vl3::preprocess {

enum class MediaKind { kImage, kVideo };

struct Size {
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const Size&) const = default;
};

/// A patch grid: t frames of h x w patches (images: t = 1).
struct Grid {
  int64_t t = 1;
  int64_t h = 0;
  int64_t w = 0;
  bool operator==(const Grid&) const = default;
};

/// Input of the resize rules: original size (of the first frame) and number of sampled frames (images: 1).
struct MediaShape {
  MediaKind kind = MediaKind::kImage;
  Size size;
  int64_t frames = 1;
};

}  // namespace vl3::preprocess
