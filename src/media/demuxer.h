// Opens a video container with FFmpeg and hands out the packets of its one video stream; nothing is decoded
// here.
//
// The medium is hostile: FFmpeg reads it only through our own read function (a file descriptor or memory),
// may open nothing else (no network, no second file, whatever a playlist or a reference inside says), and
// only the container formats listed in demuxer.cpp are tried. Not thread-safe; one owner at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "media/ffmpeg_handles.h"
#include "media/source.h"

namespace vl3::media {

/// What the container says, as ffprobe prints it. Sizes are those of the frames handed out: rotation applied.
struct VideoInfo {
  double duration_s = 0;  ///< of the container; 0 when it does not say
  double start_s = 0;     ///< of the video stream, rounded to microseconds; 0 when it does not say
  double avg_fps = 0;     ///< 0 when unknown
  int height = 0;
  int width = 0;
  int rotation = 0;    ///< clockwise degrees to apply, 0, 90, 180 or 270; mirroring not included
  int64_t frames = 0;  ///< as stated by the container; 0 when it does not say (FrameIndex counts them)
  int streams = 0;     ///< of all kinds
  std::string codec;
  std::string container;  ///< FFmpeg's name: "mov,mp4,m4a,3gp,3g2,mj2", "gif", …; "folder" for a frame folder
};

class Demuxer {
 public:
  /// @throws Error(kCorrupt) for data that is no readable container or has no video frames;
  /// Error(kUnsupported) for a container or stream not read; Error(kResourceExhausted) past
  /// limits.max_pixels, max_frame_pixels or max_seconds; Error(kNotFound).
  Demuxer(const MediaData& media, const MediaLimits& limits);
  ~Demuxer();
  Demuxer(Demuxer&&) noexcept;
  Demuxer& operator=(Demuxer&&) noexcept;

  const VideoInfo& info() const;
  const std::string& name() const;
  const AVStream* stream() const;
  int64_t container_start_us() const;  ///< 0 when the container does not say

  /// Next packet of the video stream (others are skipped). False at the end; see damaged().
  /// @throws Error(kResourceExhausted) after limits.timeout_s without a packet.
  bool next(AVPacket& packet);

  /// True when reading ended at an error rather than at the end of the file.
  bool damaged() const;

  /// What is missing behind a last frame that ends at `end_s`, "" when nothing is known to be; for a video
  /// read to its end, see early_end.h.
  std::string early_end(double end_s, double tolerance_s);

  /// Continues at the keyframe at or before `pts` (stream time base). False when the container cannot.
  bool seek(int64_t pts);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vl3::media
