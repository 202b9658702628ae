// A decoded picture; what media/ hands to preprocess/.
#pragma once

#include <cstdint>
#include <vector>

namespace vl3::media {

struct Frame {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3], interleaved, no padding
  double pts_s = 0.0;        ///< presentation time in seconds (videos), 0 for stills
};

}  // namespace vl3::media
