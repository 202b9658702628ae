// Which source frames a video gives to the model, and with which times in the prompt: both flows' rules as
// pure functions of the frame index. Nothing is decoded. Source: spec "Video sampling and timestamps".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/flow.h"
#include "media/frame_index.h"

namespace vl3::media {

struct SampleOptions {
  Flow flow = Flow::kRemote;
  std::optional<double> fps = 1.0;  ///< frames a second; unset: every frame (remote: cut to max_frames)
  int64_t max_frames =
      180;                 ///< at most this many, evenly chosen (remote's index rule with fps may give more)
  int64_t min_frames = 4;  ///< native with fps: at least this many where the video has them
  std::optional<int64_t> num_frames;  ///< native: exactly this many, in place of fps
  std::optional<double> start_s;      ///< window, seconds as in the prompt's times
  std::optional<double> end_s;
  /// Remote with a window of a second or more: frames of the whole video's grid, the nearest to each time
  /// (ffmpeg seeking behind the filter, as the official evaluation does), not a grid of the window's own.
  bool precise_time = false;
};

struct SampledFrame {
  int64_t source_index = 0;  ///< into FrameIndex, or the folder's sorted pictures
  double pts_s = 0;          ///< when the source frame is shown
  double timestamp_s = 0;    ///< what the prompt says ("Time 1.0s:")
};
using SampledFrames = std::vector<SampledFrame>;

/// One ascending entry a sampled frame (a source frame may repeat where fps is above the source's); never
/// empty. The rule follows from the flow and info.container: "folder" (3 frames a second) and "gif" (25) have
/// the index rule in the remote flow, and so has every video whose window has both ends and is shorter than a
/// second.
/// @throws Error(kInvalidArgument) for values out of range, an empty window, or (index rule) fps above the
/// source's.
SampledFrames plan_frames(const FrameIndex& index, const VideoInfo& info, const SampleOptions& options);

/// A folder of `count` pictures as plan_frames() expects it: 3 frames a second (remote) or 1 (native).
FrameIndex folder_index(int64_t count, Flow flow);
VideoInfo folder_info(int64_t count, int height, int width, Flow flow);

/// trunc(linspace(0, total - 1, count)) as numpy computes it. 1 <= count <= total.
std::vector<int64_t> linspace_indices(int64_t total, int64_t count);

/// Remote's rule for folders, GIFs and windows below a second: `total` frames at `source_fps`.
/// @throws Error(kInvalidArgument) when fps is above source_fps (the reference divides by zero).
std::vector<int64_t> remote_index_rule(int64_t total, double source_fps, std::optional<double> fps,
                                       int64_t max_frames);

/// Native's rule: count = total / source_fps * fps within [min_frames, max_frames, total], spread evenly from
/// frame 0.
std::vector<int64_t> native_index_rule(int64_t total, double source_fps, const SampleOptions& options);

/// Which frames ffmpeg's filter "fps=FPS:round=down" puts out, the k-th for interval [k, k + 1) / FPS from
/// the first frame's interval on: the last one shown in or before it. A last interval that the video does not
/// fill gives nothing. Lazy: only the entries asked for are computed, as there may be very many.
class FpsFilter {
 public:
  /// @param pts  ascending, `count` of them, in time_base; @param end_pts  where the last frame ends
  FpsFilter(const int64_t* pts, int64_t count, int64_t end_pts, AVRational time_base, double fps);
  int64_t outputs() const { return outputs_; }
  int64_t source_of(
      int64_t k) const;  ///< index into pts; 0 <= k < outputs(), or 0 when there are none: the last frame

 private:
  int64_t interval(int64_t pts) const;
  const int64_t* pts_;
  int64_t count_;
  AVRational time_base_;
  AVRational step_;
  int64_t first_ = 0;
  int64_t outputs_ = 0;
};

}  // namespace vl3::media
