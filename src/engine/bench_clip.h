// A video made in memory, for the benchmark of decoding.
#pragma once

#include <string>

namespace vl3::engine {

/// A Matroska file of `frames` pictures of moving stripes at 30 frames a second, H.264 where this FFmpeg can
/// encode it, else MPEG-4. @throws Error(kUnsupported) where it can neither.
std::string make_clip(int width, int height, int frames);

}  // namespace vl3::engine
