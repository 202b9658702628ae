// Counting the frames of a GIF; its first picture is decoded by decode_gif() of still_codecs.h.
#pragma once

#include <string_view>

namespace vl3::media {

/// True when the file holds at least `count` images. Reads the block structure only; any bytes are safe.
bool gif_has_frames(std::string_view gif, int count);

}  // namespace vl3::media
