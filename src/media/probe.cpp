#include "media/probe.h"

#include <fmt/format.h>

#include "media/frame_sampler.h"
#include "media/image_reader.h"

namespace vl3::media {
namespace {

void probe_video(const MediaData& media, const MediaLimits& limits, MediaInfo& info) {
  info.index = build_frame_index(media, limits);
  info.video = Demuxer(media, limits).info();
  // What the container left out.
  if (info.video.duration_s <= 0) info.video.duration_s = info.index.span_s();
  if (info.video.avg_fps <= 0 && info.index.span_s() > 0) {
    info.video.avg_fps = static_cast<double>(info.index.size()) / info.index.span_s();
  }
  info.video.frames = info.index.size();
}

void probe_folder(const MediaData& media, Flow flow, const MediaLimits& limits, MediaInfo& info) {
  size_t others = 0;
  const std::vector<std::filesystem::path> paths = list_frames(media.path, limits, &others);
  const MediaData first{.name = paths[0].string(), .path = paths[0], .bytes = nullptr, .owner = nullptr};
  const ImageSize size = read_image_size(first, flow, limits);
  const auto count = static_cast<int64_t>(paths.size());
  info.video = folder_info(count, size.height, size.width, flow);
  info.index = folder_index(count, flow);
  if (others > 0) {
    info.index.warning =
        fmt::format("{}: {}", media.name,
                    others == 1 ? "1 file is no picture and was left out"
                                : fmt::format("{} files are no pictures and were left out", others));
  }
}

}  // namespace

MediaInfo probe_media(const MediaData& media, Flow flow, const MediaLimits& limits,
                      std::optional<MediaKind> as) {
  MediaInfo info;
  info.kind = as && (media.in_memory() || !std::filesystem::is_directory(media.path))
                  ? *as
                  : sniff_media(media, limits);
  if (info.kind == MediaKind::kImage) {
    const ImageSize size = read_image_size(media, flow, limits);
    info.height = size.height;
    info.width = size.width;
    return info;
  }
  if (info.kind == MediaKind::kVideo)
    probe_video(media, limits, info);
  else
    probe_folder(media, flow, limits, info);
  info.height = info.video.height;
  info.width = info.video.width;
  info.frames = info.index.size();
  info.duration_s = info.video.duration_s;
  return info;
}

}  // namespace vl3::media
