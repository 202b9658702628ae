// What a video's frames say: cuts, motion, stillness, and the clip between two cuts that is worth training
// on. The paper chooses dynamic clips by optical flow (stage 4); block matching stands in. FrameMeter is one
// thread's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "curate/curate_config.h"
#include "curate/picture_measures.h"
#include "media/frame.h"

namespace vl3::curate {

struct VideoMeasures {
  int64_t frames = 0;  ///< that were looked at
  int64_t cuts = 0;
  double static_share = 0;  ///< of neighbouring frames, cuts left out, that stand still; 1 for a single frame
  double motion = 0;        ///< picture widths a second that textured blocks move, mean
  double clip_start_s = 0,
         clip_end_s = 0;  ///< of the clip with the most motion; both 0 where none is long enough
  double clip_motion = 0;
};

/// Takes frames in order of time and holds one of them.
class FrameMeter {
 public:
  explicit FrameMeter(const VideoConfig& config) : config_(config) {}
  /// @param time_s  of the frame, seconds.
  void add(const media::Frame& frame, double time_s);
  /// @param end_s  where the last frame ends.
  VideoMeasures finish(double end_s) const;

 private:
  struct Step {  // from one frame to the next
    double begin_s, end_s, difference, motion;
    bool cut;
  };
  void choose_clip(size_t first, size_t last, double begin_s, double end_s, double* best,
                   VideoMeasures* measures) const;

  const VideoConfig config_;
  std::optional<Luma> last_;
  std::vector<float> last_colours_;
  double last_time_ = 0;
  int64_t frames_ = 0;
  std::vector<Step> steps_;
};

/// Mean displacement of the 8 x 8 blocks that have texture, in pixels; they are looked for up to 4 pixels
/// away. Both of one size. 0 without such blocks.
double block_motion(const Luma& before, const Luma& after);

}  // namespace vl3::curate
