// A decoded picture; what media/ hands to preprocess/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace vl3::media {

struct Frame {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3], interleaved, no padding
  double pts_s = 0.0;        ///< presentation time in seconds (videos), 0 for stills
};

/// Gives the frames of one medium in order; nullopt after the last one.
using FrameSource = std::function<std::optional<Frame>()>;

}  // namespace vl3::media
