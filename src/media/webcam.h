// One picture from a camera (V4L2 on Linux), through FFmpeg's device layer.
#pragma once

#include <string>

#include "media/frame.h"

namespace vl3::media {

/// Opens the camera, lets it settle for a few frames, gives the next one and closes it.
/// @param device  such as "/dev/video0".
/// @throws Error(kNotFound) when it cannot be opened; Error(kUnsupported) when its pictures cannot be
/// decoded;
///   Error(kResourceExhausted) when none comes within timeout_s.
Frame grab_webcam(const std::string& device, double timeout_s = 10.0);

}  // namespace vl3::media
