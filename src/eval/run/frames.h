// The frames of a benchmark's video, chosen by the flow's rule: their times for prompts that need them, their
// pictures where a model takes no video. Stateless.
#pragma once

#include <optional>
#include <vector>

#include "core/flow.h"
#include "eval/data/item.h"
#include "media/frame.h"
#include "media/limits.h"

namespace vl3::eval {

/// What the paper's runs ask of the model (spec: evaluation, 1), with 16,384 visual tokens.
inline constexpr double kPaperFps = 1;
inline constexpr int64_t kPaperFrames = 180, kPaperVisualTokens = 16384;

struct Sampling {
  Flow flow = Flow::kRemote;
  double fps = kPaperFps;
  int64_t max_frames = kPaperFrames;
  media::MediaLimits limits = {};
};

/// Seconds of each frame as the prompt says them; nothing is decoded. @throws as media::probe_media() and
/// media::plan_frames().
std::vector<double> frame_times(const Medium& video, const Sampling& sampling);

/// The same frames, decoded, with `pts_s` = those seconds.
std::vector<media::Frame> read_frames(const Medium& video, const Sampling& sampling);

}  // namespace vl3::eval
