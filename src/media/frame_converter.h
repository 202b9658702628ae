// Decoded frames to RGB24, byte for byte as `ffmpeg -pix_fmt rgb24` gives them: rotation first, then swscale
// with the ffmpeg program's default flags. Keeps a scaler between frames of one format; not thread-safe.
#pragma once

#include "media/ffmpeg_handles.h"
#include "media/frame.h"
#include "media/rotation.h"

namespace vl3::media {

class FrameConverter {
 public:
  explicit FrameConverter(const Rotation& rotation) : rotation_(rotation) {}

  /// @return [height, width, 3]; a frame of another size than the first (a stream may change midway) is
  /// scaled to the first one's, as ffmpeg does. pts_s is left 0. The sample aspect ratio is ignored.
  /// @throws Error(kUnsupported) for a pixel format swscale does not read, Error(kResourceExhausted) without
  /// memory
  Frame convert(const AVFrame& frame);

 private:
  struct Shape {
    int width = 0, height = 0, format = -1;
    AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
    AVColorSpace space = AVCOL_SPC_UNSPECIFIED;
    bool operator==(const Shape&) const = default;
  };
  void prepare(const Shape& source, int height, int width);

  Rotation rotation_;
  int out_width_ = 0;
  int out_height_ = 0;
  Shape shape_;
  ScalerPtr scaler_;
  FramePtr padded_;
};

}  // namespace vl3::media
