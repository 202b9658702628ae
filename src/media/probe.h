// What a medium is, before any frame is decoded: for plans, and to choose the frames.
#pragma once

#include <optional>

#include "core/flow.h"
#include "media/frame_index.h"
#include "media/source.h"

namespace vl3::media {

struct MediaInfo {
  MediaKind kind = MediaKind::kImage;
  int height = 0;  ///< of the first frame, after EXIF orientation (native flow) or a video's rotation
  int width = 0;
  int64_t frames = 1;
  double duration_s = 0;  ///< 0 for an image
  VideoInfo video;        ///< videos and folders; with `index`, what plan_frames() takes
  FrameIndex index;
};

/// @param as  take it for an image or a video whatever its bytes say (`--image`, `--video`)
/// Reads a video's packets once from end to end, but decodes nothing beyond what opening takes.
/// @throws what open_media's, read_image_size's, Demuxer's and build_frame_index's descriptions say
MediaInfo probe_media(const MediaData& media, Flow flow, const MediaLimits& limits = {},
                      std::optional<MediaKind> as = std::nullopt);

}  // namespace vl3::media
