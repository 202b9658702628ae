// A picture as PNG bytes. Stateless.
#pragma once

#include <string>

#include "media/frame.h"

namespace vl3::media {

/// @throws Error(kInvalidArgument) for an empty picture or one whose bytes are not height * width * 3.
std::string encode_png(const Frame& picture);

}  // namespace vl3::media
