// Recognising formats by their first bytes. Pure functions.
#pragma once

#include <string_view>

namespace vl3::media {

enum class StillFormat { kNone, kPng, kJpeg, kWebp, kGif, kBmp, kTiff, kHeif, kAvif };

/// @param head  the first bytes, 64 or more where the file has them
StillFormat sniff_still(std::string_view head);

/// Containers that FFmpeg is asked to open: MP4/MOV, Matroska/WebM, AVI, MPEG-TS/PS, FLV, ASF, Ogg, IVF, Y4M,
/// raw H.26x.
bool sniff_video(std::string_view head);

/// Text that names other files: HLS, concat scripts, SDP, DASH, SMIL, XML in general.
bool sniff_playlist(std::string_view head);

/// A well-known picture format that vl3 does not read ("JPEG 2000", "SVG", …); nullptr otherwise.
const char* sniff_refused(std::string_view head);

}  // namespace vl3::media
