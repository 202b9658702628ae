// A stream's display matrix as the quarter turn and mirroring that ffmpeg's autorotate would insert. Pure
// functions.
#pragma once

#include "media/ffmpeg_handles.h"

namespace vl3::media {

/// Where output pixel (row, column) comes from: rows and columns exchanged first if `transposed`, then
/// counted from the bottom or right end of the source.
struct Rotation {
  bool transposed = false;
  bool from_bottom = false;
  bool from_right = false;
  bool swaps_sides() const { return transposed; }
  bool identity() const { return !transposed && !from_bottom && !from_right; }
  int degrees() const;  ///< clockwise; mirroring not included
};

/// Angles that are no quarter turn are ignored with a warning.
/// Source: ffmpeg's fftools (configure_input_video_filter, get_rotation), which apply it before the colour
/// conversion.
Rotation stream_rotation(const AVStream& stream);

/// The same for a frame that carries its own matrix; `fallback` where it does not.
Rotation frame_rotation(const AVFrame& frame, const Rotation& fallback);

/// Turns a frame in its own pixel format. @return null when the format's planes cannot be turned one by one
/// (4:2:2 by a quarter, packed YUV, bit-packed): turn the RGB instead.
/// @throws Error(kResourceExhausted) without memory
FramePtr rotate_frame(const AVFrame& frame, const Rotation& rotation);

}  // namespace vl3::media
