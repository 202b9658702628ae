// What a picture's pixels say of its quality, without any model. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "media/frame.h"

namespace vl3::curate {

/// Luma of BT.601, rounded, [height, width].
struct Luma {
  int height = 0, width = 0;
  std::vector<uint8_t> values;
  uint8_t at(int y, int x) const {
    return values[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
  }
};

/// @param max_side  larger pictures are averaged down by a whole factor until the long side is at most about
/// this.
Luma luma_of(const media::Frame& picture, int max_side = 512);

struct PictureMeasures {
  double contrast = 0;      ///< deviation of the channel that varies most, levels of 255
  double entropy = 0;       ///< bits of the luma histogram of 64 bins, 0 … 6
  double sharpness = 0;     ///< variance of the Laplacian of luma
  double blur = 0;          ///< 0 sharp … 1 blurred; 0 for a picture without any edge
  double exposure = 0;      ///< mean luma, 0 … 255
  double dark_share = 0;    ///< of pixels below 16
  double bright_share = 0;  ///< of pixels above 252
};

/// @param picture  RGB, at least 1 x 1.
/// Source of `blur`: Crété, Dolmiere, Ladret, Nicolas, "The blur effect" (2007): how little of the
/// differences between neighbours a low-pass of 9 pixels takes away, the worse of both directions.
PictureMeasures measure(const media::Frame& picture);

}  // namespace vl3::curate
