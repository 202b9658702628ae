// Still pictures to RGB, exactly as the reference's loaders (Pillow) give them. Stateless and thread-safe.
//
// Remote flow: Pillow's convert("RGB"): alpha dropped, palettes expanded, grey repeated, EXIF orientation
// ignored. Native flow: EXIF orientation applied first. Formats: PNG, JPEG, WebP, GIF (first frame), BMP,
// TIFF, HEIC, AVIF. Colour profiles and gamma are ignored, as there. Source: spec "Image preprocessing" 1.
#pragma once

#include "core/flow.h"
#include "media/frame.h"
#include "media/source.h"

namespace vl3::media {

struct ImageSize {
  int height = 0;
  int width = 0;
};

/// @return the first picture of the file, pts_s = 0
/// @throws Error(kCorrupt) for broken or truncated data; Error(kResourceExhausted) past limits.max_pixels (by
/// the header, before memory is taken) or max_bytes; Error(kUnsupported) for other formats and variants.
Frame read_image(const MediaData& media, Flow flow, const MediaLimits& limits = {});

/// The size read_image() would give, from the header.
ImageSize read_image_size(const MediaData& media, Flow flow, const MediaLimits& limits = {});

}  // namespace vl3::media
