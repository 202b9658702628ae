#include "media/frame_index.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "core/check.h"

namespace vl3::media {
namespace {

struct Entry {
  int64_t pts = AV_NOPTS_VALUE;
  int64_t dts = AV_NOPTS_VALUE;
  int64_t duration = 0;
  bool keyframe = false;
};

std::vector<Entry> read_entries(Demuxer& demuxer, const MediaLimits& limits) {
  std::vector<Entry> entries;
  const PacketPtr packet = make_packet();
  while (demuxer.next(*packet)) {
    if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0) continue;  // decoded, but cut away by an edit list
    VL3_CHECK(static_cast<int64_t>(entries.size()) < limits.max_frames, kResourceExhausted,
              "{}: more than {} frames, the limit", demuxer.name(), limits.max_frames);
    entries.push_back({packet->pts, packet->dts, packet->duration, (packet->flags & AV_PKT_FLAG_KEY) != 0});
  }
  return entries;
}

// Ticks between frames, for streams that leave them out.
int64_t frame_ticks(const Demuxer& demuxer) {
  const double fps = demuxer.info().avg_fps > 0 ? demuxer.info().avg_fps : 25.0;
  const double ticks = 1.0 / (fps * to_double(demuxer.stream()->time_base));
  return ticks >= 1 && ticks < 1e15 ? static_cast<int64_t>(ticks + 0.5) : 1;
}

// True when every frame had its own time. Otherwise fills the times in, as ffmpeg comes to see them: the k-th
// frame is shown when the decoder, `delay` frames behind, is given packet k + delay; without decoding times,
// at the frame rate.
bool complete_times(std::vector<Entry>& entries, int64_t ticks, int delay) {
  const auto lacks = [](int64_t Entry::*field) {
    return [field](const Entry& e) { return e.*field == AV_NOPTS_VALUE; };
  };
  if (std::none_of(entries.begin(), entries.end(), lacks(&Entry::pts))) return true;
  const bool has_dts = std::none_of(entries.begin(), entries.end(), lacks(&Entry::dts));
  for (size_t i = 0; i < entries.size(); ++i) {
    const size_t source = i + static_cast<size_t>(delay);
    if (has_dts && source < entries.size())
      entries[i].pts = entries[source].dts;
    else
      entries[i].pts = i == 0 ? 0 : entries[i - 1].pts + ticks;
  }
  return false;
}

// Decoding is bound by pixels, of which a small file can announce any number.
void check_work(const Demuxer& demuxer, size_t frames, const MediaLimits& limits) {
  const VideoInfo& info = demuxer.info();
  const double pixels = static_cast<double>(info.width) * info.height * static_cast<double>(frames);
  const double limit = info.container == "gif" || info.container == "apng" ? limits.max_animation_pixels
                                                                           : limits.max_video_pixels;
  VL3_CHECK(
      pixels <= limit, kResourceExhausted,
      "{}: {} frames of {} x {} are {:.2g} pixels to decode, the limit is {:.2g}; scale it down or cut it",
      demuxer.name(), frames, info.width, info.height, pixels, limit);
}

// Says what is missing at the end of a video, "" for nothing.
std::string find_damage(Demuxer& demuxer, const FrameIndex& index) {
  const bool error = demuxer.damaged();
  int64_t largest_gap = 0;
  for (size_t i = 1; i < index.pts.size(); ++i) {
    largest_gap = std::max(largest_gap, index.pts[i] - index.pts[i - 1]);
  }
  // The last frame may be shown as long as any other before it, and few state that.
  const double tolerance = std::max({0.25, static_cast<double>(largest_gap) * to_double(index.time_base),
                                     4 * index.span_s() / static_cast<double>(index.size())});
  const double end_s =
      index.seconds(index.size() - 1) + static_cast<double>(index.last_duration) * to_double(index.time_base);
  const std::string missing = demuxer.early_end(end_s, tolerance);
  if (!error && missing.empty()) return "";
  return fmt::format("{}: broken or cut off after {} frames ({:.1f} s){}; the rest is left out",
                     demuxer.name(), index.size(), index.span_s(), missing.empty() ? "" : ": " + missing);
}

}  // namespace

double FrameIndex::span_s() const {
  return pts.empty() ? 0.0
                     : static_cast<double>(pts.back() - pts.front() + last_duration) * to_double(time_base);
}

FrameIndex build_frame_index(const MediaData& media, const MediaLimits& limits) {
  Demuxer demuxer(media, limits);
  std::vector<Entry> entries = read_entries(demuxer, limits);
  VL3_CHECK(!entries.empty(), kCorrupt, "{}: its video stream holds no frame{}", demuxer.name(),
            demuxer.damaged() ? "; the file is cut off or broken" : "");
  check_work(demuxer, entries.size(), limits);
  const int64_t ticks = frame_ticks(demuxer);
  FrameIndex index;
  index.exact = complete_times(entries, ticks, std::clamp(demuxer.stream()->codecpar->video_delay, 0, 16));
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.pts < b.pts; });
  index.time_base = demuxer.stream()->time_base;
  index.container_start_us = demuxer.container_start_us();
  index.last_duration = entries.back().duration > 0 ? entries.back().duration : ticks;
  index.pts.reserve(entries.size());
  index.keyframe.reserve(entries.size());
  for (const Entry& entry : entries) {
    if (!index.pts.empty() && index.pts.back() == entry.pts) index.exact = false;
    index.pts.push_back(entry.pts);
    index.keyframe.push_back(entry.keyframe ? 1 : 0);
  }
  const std::string_view container = demuxer.info().container;
  index.seekable = index.exact && (container.starts_with("mov,") || container.starts_with("matroska,"));
  VL3_CHECK(index.span_s() <= limits.max_seconds, kResourceExhausted,
            "{}: {:.0f} s long, the limit is {:.0f}", demuxer.name(), index.span_s(), limits.max_seconds);
  index.warning = find_damage(demuxer, index);
  index.damaged = !index.warning.empty();
  return index;
}

}  // namespace vl3::media
