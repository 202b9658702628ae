#include "media/frame_sampler.h"

extern "C" {
#include <libavutil/mathematics.h>
}

#include <algorithm>
#include <climits>
#include <cmath>
#include <numeric>

#include "core/check.h"

namespace vl3::media {
namespace {

constexpr AVRational kMicrosecond{1, AV_TIME_BASE};
constexpr double kRemoteFolderFps = 3;
constexpr double kNativeFolderFps = 1;
constexpr double kRemoteGifFps = 25;
constexpr double kMaxFps = 1000;

// Python's a // b for positive floats.
double floor_divide(double a, double b) {
  const double remainder = std::fmod(a, b);
  const double quotient = (a - remainder) / b;
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

int64_t to_microseconds(double seconds) {
  return std::llround(std::clamp(seconds, -1e12, 1e12) * AV_TIME_BASE);
}

void check_options(const SampleOptions& o) {
  VL3_CHECK(!o.fps || (*o.fps > 0 && *o.fps <= kMaxFps), kInvalidArgument,
            "fps is {}; it must be above 0 and at most {}", *o.fps, kMaxFps);
  VL3_CHECK(o.max_frames >= 1, kInvalidArgument, "max_frames is {}; it must be 1 or more", o.max_frames);
  VL3_CHECK(!o.num_frames || *o.num_frames >= 1, kInvalidArgument, "num_frames is {}; it must be 1 or more",
            *o.num_frames);
  VL3_CHECK(!o.start_s || (*o.start_s >= 0 && *o.start_s < 1e9), kInvalidArgument,
            "start is {} s; it must be 0 or more", *o.start_s);
  VL3_CHECK(!o.end_s || (*o.end_s >= o.start_s.value_or(0) && *o.end_s < 1e9), kInvalidArgument,
            "end is {} s, before the start at {} s", *o.end_s, o.start_s.value_or(0));
}

[[noreturn]] void fail_empty_window(const SampleOptions& o, double start, double end) {
  VL3_FAIL(kInvalidArgument, "no frame between {} s and {}; the video runs from {:.3f} s to {:.3f} s",
           o.start_s.value_or(start), o.end_s ? fmt::format("{} s", *o.end_s) : "its end", start, end);
}

SampledFrames with_rate(const std::vector<int64_t>& indices, int64_t first, double source_fps,
                        const FrameIndex& index) {
  SampledFrames frames;
  frames.reserve(indices.size());
  for (const int64_t i : indices) {
    const int64_t source = first + i;
    frames.push_back({source, index.seconds(source), static_cast<double>(source) / source_fps});
  }
  return frames;
}

SampledFrames plan_by_index(const FrameIndex& index, const VideoInfo& info, const SampleOptions& o,
                            double source_fps) {
  VL3_CHECK(source_fps > 0, kInvalidArgument,
            "the video does not tell its frame rate; give no window, or a longer one");
  const int64_t total = index.size();
  const double start = o.start_s.value_or(0);
  double end = o.end_s.value_or(0);
  if (o.start_s && o.end_s && start == end) end = start + 1;
  const int64_t first = o.start_s ? std::max<int64_t>(static_cast<int64_t>(start * source_fps) - 1, 0) : 0;
  // DIFFERS: a window that ends before frame 0 fails in the reference; at least one frame is taken here.
  const int64_t last =
      o.end_s ? std::min(std::max(static_cast<int64_t>(end * source_fps) - 1, first), total - 1) : total - 1;
  if (first > last)
    fail_empty_window(o, info.start_s, info.start_s + static_cast<double>(total) / source_fps);
  return with_rate(remote_index_rule(last - first + 1, source_fps, o.fps, o.max_frames), first, source_fps,
                   index);
}

SampledFrames plan_native(const FrameIndex& index, const VideoInfo& info, const SampleOptions& o) {
  const double source_fps = info.avg_fps > 0 ? info.avg_fps : 25.0;
  // The reference has no window; here it holds for the times as the prompt says them.
  const int64_t first = o.start_s ? static_cast<int64_t>(std::ceil(*o.start_s * source_fps)) : 0;
  const int64_t last =
      o.end_s ? std::min(static_cast<int64_t>(*o.end_s * source_fps), index.size() - 1) : index.size() - 1;
  if (first > last) fail_empty_window(o, 0, static_cast<double>(index.size()) / source_fps);
  return with_rate(native_index_rule(last - first + 1, source_fps, o), first, source_fps, index);
}

// The part of a file that ffmpeg's -ss and -t leave, with times counted from its beginning.
struct Cut {
  int64_t first = 0;         ///< index of its first frame
  std::vector<int64_t> pts;  ///< relative, in the stream's time base
  int64_t end_pts = 0;       ///< where its last frame ends
  double start_s = 0;        ///< time of its beginning
  double duration_s = 0;
};

int64_t end_of_last_frame(int64_t pts, int64_t duration, AVRational time_base) {
  // ffmpeg takes the way over microseconds.
  const int64_t end_us =
      av_rescale_q(pts, time_base, kMicrosecond) + av_rescale_q(duration, time_base, kMicrosecond);
  return av_rescale_q_rnd(end_us, kMicrosecond, time_base, AV_ROUND_NEAR_INF);
}

Cut cut_window(const FrameIndex& index, const VideoInfo& info, const SampleOptions& o) {
  Cut cut;
  const bool trimmed = o.start_s || o.end_s;
  double duration = info.duration_s > 0 ? info.duration_s : index.span_s();
  cut.start_s = info.start_s;
  if (o.start_s) {
    cut.start_s = std::max(info.start_s, *o.start_s);
    duration -= cut.start_s - *o.start_s;
  }
  if (o.end_s) duration = std::min(duration, *o.end_s - cut.start_s);
  cut.duration_s = duration;

  // DIFFERS: the reference gives -ss the absolute time, but ffmpeg adds the container's start to it; where
  // that is not 0 (MPEG-TS), its frames come from later than their labels say. Here both are the same time.
  const int64_t origin_us = trimmed ? to_microseconds(cut.start_s) : index.container_start_us;
  const int64_t offset = av_rescale_q(-origin_us, kMicrosecond, index.time_base);
  const int64_t length = av_rescale_q(to_microseconds(duration), kMicrosecond, index.time_base);
  cut.first = trimmed ? std::lower_bound(index.pts.begin(), index.pts.end(), -offset) - index.pts.begin() : 0;
  cut.pts.reserve(static_cast<size_t>(index.size() - cut.first));
  for (int64_t i = cut.first; i < index.size(); ++i) {
    const int64_t pts = index.pts[static_cast<size_t>(i)] + offset;
    if (trimmed && !cut.pts.empty() && pts - cut.pts.front() >= length) {
      cut.end_pts = pts;
      return cut;
    }
    if (trimmed && length <= 0) break;
    cut.pts.push_back(pts);
  }
  if (cut.pts.empty()) fail_empty_window(o, index.seconds(0), index.seconds(0) + index.span_s());
  cut.end_pts = end_of_last_frame(cut.pts.back(), index.last_duration, index.time_base);
  return cut;
}

// numpy.linspace(start, stop, count)[i]
double linspace_at(double start, double stop, int64_t count, int64_t i) {
  if (count > 1 && i == count - 1) return stop;
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0.0;
  return static_cast<double>(i) * step + start;
}

SampledFrames plan_remote_file(const FrameIndex& index, const VideoInfo& info, const SampleOptions& o) {
  const Cut cut = cut_window(index, info, o);
  const auto count = static_cast<int64_t>(cut.pts.size());
  SampledFrames frames;
  const auto add = [&](int64_t source, double timestamp) {
    if (o.end_s && timestamp > *o.end_s && !frames.empty()) return;
    frames.push_back({cut.first + source, index.seconds(cut.first + source), timestamp});
  };
  if (!o.fps) {
    for (const int64_t i : linspace_indices(count, std::min(count, o.max_frames))) {
      add(i, linspace_at(cut.start_s, cut.start_s + cut.duration_s, count, i));
    }
    return frames;
  }
  const FpsFilter filter(cut.pts.data(), count, cut.end_pts, index.time_base, *o.fps);
  // Times as numpy.arange(start, …, 1 / fps) computes them.
  const double step = cut.start_s + 1 / *o.fps - cut.start_s;
  // DIFFERS: a clip shorter than 1 / fps gives the reference no frame at all; here it gives its last one.
  const int64_t outputs = std::max<int64_t>(filter.outputs(), 1);
  for (const int64_t k : linspace_indices(outputs, std::min(outputs, o.max_frames))) {
    add(filter.source_of(k), cut.start_s + static_cast<double>(k) * step);
  }
  return frames;
}

/// Steps of `1 / fps` that ffmpeg rounds a time to: it counts in microseconds, halves go up.
int64_t nearest_step(double seconds, double fps) {
  return static_cast<int64_t>(
      std::floor(static_cast<double>(to_microseconds(seconds)) * fps / AV_TIME_BASE + 0.5));
}

// Source: spec/evaluation.md 5, "Clips with start and end".
SampledFrames plan_remote_precise(const FrameIndex& index, const VideoInfo& info, const SampleOptions& o) {
  SampleOptions whole = o;
  whole.start_s = whole.end_s = std::nullopt;
  const Cut cut = cut_window(index, info, whole);
  const FpsFilter filter(cut.pts.data(), static_cast<int64_t>(cut.pts.size()), cut.end_pts, index.time_base,
                         *o.fps);
  const int64_t outputs = std::max<int64_t>(filter.outputs(), 1);
  const double start = std::max(info.start_s, o.start_s.value_or(info.start_s));
  const double length = o.end_s ? std::min(cut.duration_s, *o.end_s - start) : cut.duration_s;
  const int64_t first = nearest_step(start - info.start_s, *o.fps), count = nearest_step(length, *o.fps);
  std::vector<int64_t> slots;
  for (int64_t k = first; k < outputs && k - first < count; ++k) slots.push_back(k);
  const double halves =
      static_cast<double>(to_microseconds(start - info.start_s)) * *o.fps * 2 / AV_TIME_BASE;
  // A start halfway between two frames gives the later one twice, as far as there is room.
  const auto most =
      static_cast<size_t>(std::ceil(static_cast<double>(to_microseconds(length)) * *o.fps / AV_TIME_BASE));
  if (halves == std::floor(halves) && std::fmod(halves, 2) == 1 && !slots.empty())
    slots.insert(slots.begin(), first);
  if (slots.size() > most) slots.resize(most);
  // DIFFERS: where no frame is left the reference gives none; here it is the last one.
  if (slots.empty()) slots.push_back(std::min(first, outputs - 1));
  const double step = start + 1 / *o.fps - start;
  const auto total = static_cast<int64_t>(slots.size());
  SampledFrames frames;
  for (const int64_t i : linspace_indices(total, std::min(total, o.max_frames))) {
    const int64_t source = cut.first + filter.source_of(slots[static_cast<size_t>(i)]);
    frames.push_back({source, index.seconds(source), start + static_cast<double>(i) * step});
  }
  return frames;
}

}  // namespace

FpsFilter::FpsFilter(const int64_t* pts, int64_t count, int64_t end_pts, AVRational time_base, double fps)
    : pts_(pts), count_(count), time_base_(time_base), step_(av_inv_q(av_d2q(fps, INT_MAX))) {
  // DIFFERS: where the first picture comes later than interval 0 and the file has more streams, the ffmpeg
  // program repeats it to fill the gap, and the reference's labels then run ahead of the pictures. Not so
  // here.
  first_ = interval(pts_[0]);
  outputs_ = std::max(interval(pts_[count_ - 1]), interval(end_pts)) - first_;
}

int64_t FpsFilter::interval(int64_t pts) const {
  return av_rescale_q_rnd(pts, time_base_, step_,
                          static_cast<AVRounding>(AV_ROUND_DOWN | AV_ROUND_PASS_MINMAX));
}

int64_t FpsFilter::source_of(int64_t k) const {
  const int64_t* after =
      std::partition_point(pts_, pts_ + count_, [&](int64_t pts) { return interval(pts) <= first_ + k; });
  return std::max<int64_t>(after - pts_ - 1, 0);
}

std::vector<int64_t> linspace_indices(int64_t total, int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const double at = linspace_at(0, static_cast<double>(total - 1), count, i);
    indices[static_cast<size_t>(i)] = static_cast<int64_t>(std::floor(at));
  }
  return indices;
}

std::vector<int64_t> remote_index_rule(int64_t total, double source_fps, std::optional<double> fps,
                                       int64_t max_frames) {
  if (!fps || static_cast<double>(total) / source_fps >= static_cast<double>(max_frames)) {
    return linspace_indices(total, std::min(total, max_frames));
  }
  const auto segment =
      static_cast<int64_t>(std::min(floor_divide(source_fps, *fps), static_cast<double>(total)));
  VL3_CHECK(segment >= 1, kInvalidArgument,
            "fps {} is above the {} frames a second of this source; ask for less", *fps, source_fps);
  std::vector<int64_t> indices;
  for (int64_t i = segment / 2; i < total; i += segment) indices.push_back(i);
  return indices;
}

std::vector<int64_t> native_index_rule(int64_t total, double source_fps, const SampleOptions& options) {
  int64_t count = total;
  if (options.num_frames) {
    count = *options.num_frames;
    VL3_CHECK(count <= total, kInvalidArgument, "num_frames is {}, but there are {} frames", count, total);
  } else if (options.fps) {
    const double asked = static_cast<double>(total) / source_fps * *options.fps;
    count =
        static_cast<int64_t>(std::min({std::max(asked, static_cast<double>(options.min_frames)),
                                       static_cast<double>(options.max_frames), static_cast<double>(total)}));
    count = std::max<int64_t>(count, 1);
  }
  // DIFFERS: torch.arange's float32 steps, which the reference uses, can give one frame too many or, beyond
  // frame 20,000, the neighbour; the exact quotient is taken here.
  std::vector<int64_t> indices(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) indices[static_cast<size_t>(i)] = i * total / count;
  return indices;
}

FrameIndex folder_index(int64_t count, Flow flow) {
  FrameIndex index;
  index.time_base = {1, static_cast<int>(flow == Flow::kRemote ? kRemoteFolderFps : kNativeFolderFps)};
  index.pts.resize(static_cast<size_t>(count));
  std::iota(index.pts.begin(), index.pts.end(), 0);
  index.keyframe.assign(static_cast<size_t>(count), 1);
  index.last_duration = 1;
  index.exact = true;
  return index;
}

VideoInfo folder_info(int64_t count, int height, int width, Flow flow) {
  VideoInfo info;
  info.avg_fps = flow == Flow::kRemote ? kRemoteFolderFps : kNativeFolderFps;
  info.duration_s = static_cast<double>(count) / info.avg_fps;
  info.height = height;
  info.width = width;
  info.frames = count;
  info.streams = 1;
  info.container = "folder";
  return info;
}

SampledFrames plan_frames(const FrameIndex& index, const VideoInfo& info, const SampleOptions& options) {
  check_options(options);
  VL3_CHECK(index.size() > 0, kInvalidArgument, "a video without frames cannot be sampled");
  if (options.flow == Flow::kNative) return plan_native(index, info, options);
  if (info.container == "folder") return plan_by_index(index, info, options, kRemoteFolderFps);
  if (info.container == "gif") return plan_by_index(index, info, options, kRemoteGifFps);
  const bool short_window = options.start_s && options.end_s && *options.end_s - *options.start_s < 1;
  if (short_window) return plan_by_index(index, info, options, info.avg_fps);
  if (options.precise_time && options.fps && (options.start_s || options.end_s))
    return plan_remote_precise(index, info, options);
  return plan_remote_file(index, info, options);
}

}  // namespace vl3::media
