#include "media/image_reader.h"

#include <new>

#include "core/check.h"
#include "media/orientation.h"
#include "media/sniff.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

Still decode(const MediaData& media, Flow flow, const MediaLimits& limits, bool header_only) {
  const std::shared_ptr<const std::string> bytes = read_media(media, limits);
  const StillRequest request{.bytes = *bytes,
                             .owner = bytes,
                             .name = media.name,
                             .max_pixels = limits.max_pixels,
                             .flow = flow,
                             .header_only = header_only};
  VL3_CHECK(!bytes->empty(), kCorrupt, "{}: is empty", media.name);
  try {
    switch (sniff_still(request.bytes.substr(0, 1024))) {
      case StillFormat::kPng:
        return decode_png(request);
      case StillFormat::kJpeg:
        return decode_jpeg(request);
      case StillFormat::kWebp:
        return decode_webp(request);
      case StillFormat::kGif:
        return decode_gif(request);
      case StillFormat::kBmp:
        return decode_bmp(request);
      case StillFormat::kTiff:
        return decode_tiff(request);
      case StillFormat::kHeif:
      case StillFormat::kAvif:
        return decode_heif(request);
      case StillFormat::kNone:
        break;
    }
  } catch (const std::bad_alloc&) {
    VL3_FAIL(kResourceExhausted, "{}: no memory for the picture", media.name);
  }
  const char* refused = sniff_refused(request.bytes.substr(0, 1024));
  VL3_FAIL(kUnsupported, "{}: {}; pictures are PNG, JPEG, WebP, GIF, BMP, TIFF, HEIC or AVIF", media.name,
           refused != nullptr ? refused : "not a picture by its first bytes");
}

}  // namespace

Frame read_image(const MediaData& media, Flow flow, const MediaLimits& limits) {
  Still still = decode(media, flow, limits, false);
  if (flow == Flow::kNative) apply_orientation(still.orientation, still.height, still.width, still.rgb);
  return {.height = still.height, .width = still.width, .rgb = std::move(still.rgb), .pts_s = 0.0};
}

ImageSize read_image_size(const MediaData& media, Flow flow, const MediaLimits& limits) {
  Still still = decode(media, flow, limits, true);
  if (flow == Flow::kNative) apply_orientation(still.orientation, still.height, still.width, still.rgb);
  return {.height = still.height, .width = still.width};
}

}  // namespace vl3::media
