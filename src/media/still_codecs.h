// One function a picture format, for image_reader.cpp only: bytes in, RGB out, as Pillow's convert("RGB") has
// it. Each refuses a picture past max_pixels by its header, before memory for the pixels is taken, and throws
// Error(kCorrupt) for data that is broken or ends early, Error(kUnsupported) for a variant it does not read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/flow.h"

namespace vl3::media {

struct StillRequest {
  std::string_view bytes;                    ///< the whole file
  std::shared_ptr<const std::string> owner;  ///< of bytes
  std::string name;                          ///< for messages
  int64_t max_pixels = 0;
  Flow flow = Flow::kRemote;
  bool header_only = false;  ///< leave rgb empty; size and orientation are right
};

struct Still {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3]
  int orientation =
      1;  ///< EXIF 0x0112 (or XMP tiff:Orientation) still to be applied in the native flow; 1..8
};

Still decode_png(const StillRequest& request);
Still decode_jpeg(const StillRequest& request);
Still decode_webp(const StillRequest& request);
Still decode_gif(const StillRequest& request);
Still decode_bmp(const StillRequest& request);
Still decode_tiff(const StillRequest& request);
Still decode_heif(const StillRequest& request);

/// An AVIF of one 8-bit item with Pillow's arithmetic, which libheif does not have. False, with nothing
/// written, for others (tiled, deeper, unusual colours): decode_heif() takes those. @param still  sized as
/// stored, not turned
bool decode_plain_avif(const StillRequest& request, Still& still);

/// Sets the size after checking it, and makes room for the pixels unless only the header is asked for.
/// @throws Error(kCorrupt) for a side below 1, Error(kResourceExhausted) past max_pixels.
void set_size(Still& still, int64_t width, int64_t height, const StillRequest& request);

/// Pillow's CMYK to RGB; each value 0..255, 255 is full ink. @param out  3 bytes
void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* out);

/// 16-bit grey to 8 bits as Pillow's I;16 to RGB: values above 255 are white (clipped, not scaled).
inline uint8_t clip_grey(int64_t value) {
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

}  // namespace vl3::media
