// How much of a medium from outside may be taken in. Every breach is an Error(kResourceExhausted). Plain
// data.
#pragma once

#include <cstdint>

namespace vl3::media {

struct MediaLimits {
  uint64_t max_bytes =
      2ull << 30;  ///< of a still, and of what is copied first: stdin, data: and http(s) URLs
  uint64_t max_file_bytes = 64ull << 30;  ///< of a local video file, which is read in place
  /// Of one picture, height * width. The default is where Pillow refuses a picture as a "decompression bomb":
  /// twice Image.MAX_IMAGE_PIXELS (89,478,485).
  int64_t max_pixels = 178'956'970;
  /// Of one frame of a video: 8192 * 8192. A decoder holds several at a time.
  int64_t max_frame_pixels = 67'108'864;
  /// Of all frames of a video together, read or not, as each may have to be decoded: a day of 4K at 24 a
  /// second.
  double max_video_pixels = 2e13;
  /// The same for GIF and APNG, where a frame of any size can take 20 bytes of the file: seconds of work.
  double max_animation_pixels = 2e10;
  int64_t max_frames = 4'000'000;  ///< in a video or a folder before sampling; 18 hours at 60 frames a second
  double max_seconds = 24 * 3600;  ///< duration of a video
  double timeout_s = 60;  ///< downloads as a whole; demuxing and decoding: longest time without progress
  bool allow_private_addresses =
      false;  ///< http(s) only: loopback, private and link-local hosts may be asked
};

/// Of one frame of a video.
inline int64_t frame_pixels(const MediaLimits& limits) {
  return limits.max_pixels < limits.max_frame_pixels ? limits.max_pixels : limits.max_frame_pixels;
}

}  // namespace vl3::media
