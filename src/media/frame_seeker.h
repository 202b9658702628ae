// Reaches one source frame after another in a video, seeking where that saves work. Used by SampledReader's
// thread.
#pragma once

#include <optional>

#include "media/frame_index.h"
#include "media/video_reader.h"

namespace vl3::media {

class FrameSeeker {
 public:
  FrameSeeker(const MediaData& media, const FrameIndex& index, const MediaLimits& limits,
              const VideoOptions& options, bool allow_seeking);

  /// The frame to show for source index `wanted` (never less than in the call before): that frame, or where
  /// it does not decode the last one shown before it. Null when the video ended before `wanted`; see last().
  const AVFrame* reach(int64_t wanted);

  /// The last frame that was decoded at all; null before the first.
  const AVFrame* last() const { return held_index_ >= 0 ? held_.get() : nullptr; }

  VideoReader& reader() { return *reader_; }
  int64_t decoded() const { return decoded_; }

 private:
  void open();
  void skip_to_keyframe(int64_t wanted);
  bool advance();
  int64_t index_of(int64_t pts) const;

  const MediaData& media_;
  const FrameIndex& index_;
  const MediaLimits limits_;
  const VideoOptions options_;
  bool seeking_;
  bool landed_ = true;  ///< false from a seek to the first frame after it
  std::optional<VideoReader> reader_;
  FramePtr held_;   // the frame at held_index_
  FramePtr ahead_;  // decoded, but beyond what was wanted, when ahead_index_ >= 0
  int64_t held_index_ = -1;
  int64_t ahead_index_ = -1;
  int64_t decoded_ = 0;
  bool ended_ = false;
};

}  // namespace vl3::media
