#include "eval/run/frames.h"

#include "core/log.h"
#include "media/frame_sampler.h"
#include "media/probe.h"
#include "media/sampled_reader.h"
#include "media/source.h"

namespace vl3::eval {
namespace {

struct Planned {
  media::MediaData data;
  media::FrameIndex index;
  media::SampledFrames frames;
};

Planned plan(const Medium& video, const Sampling& sampling) {
  Planned planned;
  planned.data = media::open_media(video.path.string(), sampling.limits);
  const auto kind =
      std::filesystem::is_directory(video.path) ? media::MediaKind::kFrameFolder : media::MediaKind::kVideo;
  media::MediaInfo info = media::probe_media(planned.data, sampling.flow, sampling.limits, kind);
  media::SampleOptions options;
  options.flow = sampling.flow;
  options.fps = sampling.fps;
  options.max_frames = sampling.max_frames;
  options.start_s = video.start;
  options.end_s = video.end;
  options.precise_time = true;
  planned.frames = media::plan_frames(info.index, info.video, options);
  planned.index = std::move(info.index);
  return planned;
}

}  // namespace

std::vector<double> frame_times(const Medium& video, const Sampling& sampling) {
  std::vector<double> times;
  for (const media::SampledFrame& frame : plan(video, sampling).frames) times.push_back(frame.timestamp_s);
  return times;
}

std::vector<media::Frame> read_frames(const Medium& video, const Sampling& sampling) {
  Planned planned = plan(video, sampling);
  const std::vector<media::SampledFrame> chosen(planned.frames.begin(), planned.frames.end());
  if (!planned.index.warning.empty()) logger().warn("{}", planned.index.warning);
  media::SampledReaderOptions options;
  options.flow = sampling.flow;
  media::SampledReader reader(planned.data, std::move(planned.index), std::move(planned.frames),
                              sampling.limits, options);
  std::vector<media::Frame> frames;
  while (auto frame = reader.next()) {
    frame->pts_s = reader.sampled().timestamp_s;
    frames.push_back(std::move(*frame));
  }
  if (!reader.warning().empty()) logger().warn("{}", reader.warning());
  return frames;
}

}  // namespace vl3::eval
