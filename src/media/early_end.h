// Does a video go on to where its container says it ends? Many containers read as whole when their tail is
// missing or garbage: FFmpeg reports a plain end of file. For demuxer.cpp only.
#pragma once

#include <string>
#include <string_view>

#include "media/ffmpeg_handles.h"

namespace vl3::media {

/// @param tail  the file's last bytes, kTailBytes of them where it has so many
/// @param end_s  where the last frame that was read ends, in the container's time
/// @param tolerance_s  for comparing it with a stated length
/// @return what is missing, in words; "" when nothing is known to be. Only statements that hold for the video
///   alone are trusted: MP4's table of samples against the file's size, MPEG-TS' sync bytes at the end, and
///   the length of a Matroska, AVI or FLV stream (of the whole file only where it has one stream).
std::string early_end(AVFormatContext& format, AVStream& stream, int64_t size_bytes, std::string_view tail,
                      double end_s, double tolerance_s);

constexpr int kTailBytes = 2048;

}  // namespace vl3::media
