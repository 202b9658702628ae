// When each frame of a video is shown, from one pass over the packets without decoding. Knowing this, the
// frames to decode can be chosen first. Plain data; built once, then read by any number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "media/demuxer.h"

namespace vl3::media {

/// Entry i is the i-th frame in the order of presentation. 9 bytes a frame.
struct FrameIndex {
  AVRational time_base{1, 1};
  int64_t container_start_us = 0;  ///< ffmpeg counts its input times from here
  std::vector<int64_t> pts;        ///< ascending, in time_base
  std::vector<uint8_t> keyframe;   ///< 1: decoding can start here
  int64_t last_duration = 0;       ///< of the last frame, in time_base
  /// Every packet stated its own time and no two the same: frames can be recognised by it, after a seek, too.
  bool exact = false;
  bool seekable = false;  ///< exact, and in a container whose seeking is dependable
  bool damaged = false;   ///< the file is cut off or its tail is broken; entries are those before that
  std::string warning;    ///< says so, or that a folder holds files which are no pictures; "" otherwise

  int64_t size() const { return static_cast<int64_t>(pts.size()); }
  double seconds(int64_t i) const {
    return static_cast<double>(pts[static_cast<size_t>(i)]) * to_double(time_base);
  }
  /// From the first frame to the end of the last one.
  double span_s() const;
};

/// Streams without presentation times get them from decoding times, or from the frame rate.
/// @throws Error(kCorrupt) when there is no frame; Error(kResourceExhausted) past limits.max_frames,
/// max_seconds, max_video_pixels or max_animation_pixels.
FrameIndex build_frame_index(const MediaData& media, const MediaLimits& limits = {});

}  // namespace vl3::media
