// Decodes the video stream of a medium, in order, frame by frame; colour conversion only when asked for.
// Codecs: whatever the installed FFmpeg decodes (H.264, HEVC, VP8/9, AV1, MPEG-1/2/4, MJPEG, GIF, …). Not
// thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "media/demuxer.h"
#include "media/frame.h"
#include "media/frame_converter.h"

namespace vl3::media {

struct VideoOptions {
  /// Two: each further frame thread holds frames of its own, and decoding runs beside encoding and prefill
  /// anyway.
  int threads = 2;
  const std::atomic<bool>* cancelled =
      nullptr;  ///< looked at between packets; next() then throws Error(kCancelled)
};

class VideoReader {
 public:
  /// @throws as Demuxer; Error(kUnsupported) for a codec without a decoder
  VideoReader(const MediaData& media, const MediaLimits& limits = {}, const VideoOptions& options = {});

  const VideoInfo& info() const { return demuxer_.info(); }

  /// A decoded frame, valid until the next call of next() or seek(); null at the end.
  /// Packets that do not decode are skipped and counted. One without any decoded frame is the caller's to
  /// judge.
  /// @throws Error(kResourceExhausted) after limits.timeout_s without a frame; Error(kCancelled).
  const AVFrame* next();

  /// Of the frame last given, in the stream's time base; AV_NOPTS_VALUE when the stream has no times.
  int64_t pts() const { return frame_->best_effort_timestamp; }

  /// The frame last given, as RGB. pts_s is its time in seconds from the container's own zero, 0 when it has
  /// none.
  Frame to_rgb() { return to_rgb(*frame_); }
  Frame to_rgb(const AVFrame& frame);

  /// Goes on at the keyframe at or before `pts`; false when the container cannot. What was buffered is
  /// dropped.
  bool seek(int64_t pts);

  /// Packets that did not decode and frames that decoded with damage.
  int64_t broken_packets() const { return broken_packets_; }
  /// True when the file ended at a read error.
  bool damaged() const { return demuxer_.damaged(); }

 private:
  void open_decoder(const VideoOptions& options);
  bool feed();

  MediaLimits limits_;
  Demuxer demuxer_;
  FrameConverter converter_;
  const std::atomic<bool>* cancelled_;
  CodecPtr codec_;
  PacketPtr packet_;
  FramePtr frame_;
  bool draining_ = false;
  int64_t broken_packets_ = 0;
};

/// The whole video as RGB, for short clips and tests; past max_frames it throws Error(kResourceExhausted).
/// @throws Error(kCorrupt) when not one frame could be decoded
std::vector<Frame> read_all_frames(const MediaData& media, int64_t max_frames,
                                   const MediaLimits& limits = {});

}  // namespace vl3::media
