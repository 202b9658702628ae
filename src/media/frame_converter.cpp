#include "media/frame_converter.h"

extern "C" {
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
}

#include <cstddef>
#include <cstring>

#include "core/check.h"
#include "media/orientation.h"

namespace vl3::media {
namespace {

// The EXIF number of the same turn, for pictures that are turned as RGB.
int as_orientation(const Rotation& r) {
  if (r.transposed) return r.from_bottom ? (r.from_right ? 7 : 6) : (r.from_right ? 8 : 5);
  return r.from_bottom ? (r.from_right ? 3 : 4) : (r.from_right ? 2 : 1);
}

}  // namespace

// Source: ffmpeg 5.1's vf_scale with the "flags=bicubic" that the ffmpeg program sets for inserted scalers.
void FrameConverter::prepare(const Shape& source, int height, int width) {
  if (scaler_ != nullptr && source == shape_) return;
  scaler_.reset(sws_alloc_context());
  VL3_CHECK(scaler_ != nullptr, kResourceExhausted, "no memory for a colour converter");
  SwsContext* s = scaler_.get();
  av_opt_set_int(s, "sws_flags", SWS_BICUBIC, 0);
  av_opt_set_int(s, "srcw", source.width, 0);
  av_opt_set_int(s, "srch", source.height, 0);
  av_opt_set_int(s, "src_format", source.format, 0);
  av_opt_set_int(s, "dstw", width, 0);
  av_opt_set_int(s, "dsth", height, 0);
  av_opt_set_int(s, "dst_format", AV_PIX_FMT_RGB24, 0);
  // 4:2:0 is taken to have MPEG-2's chroma positions, whatever the stream says.
  if (source.format == AV_PIX_FMT_YUV420P) av_opt_set_int(s, "src_v_chr_pos", 128, 0);
  const char* format = av_get_pix_fmt_name(static_cast<AVPixelFormat>(source.format));
  VL3_CHECK(sws_isSupportedInput(static_cast<AVPixelFormat>(source.format)) != 0 &&
                sws_init_context(s, nullptr, nullptr) >= 0,
            kUnsupported, "video frames of {} x {} in pixel format {} cannot be converted", source.width,
            source.height, format == nullptr ? "unknown" : format);
  int* inverse = nullptr;
  int* table = nullptr;
  int from_full = 0, to_full = 0, brightness = 0, contrast = 0, saturation = 0;
  if (sws_getColorspaceDetails(s, &inverse, &from_full, &table, &to_full, &brightness, &contrast,
                               &saturation) >= 0) {
    if (source.range != AVCOL_RANGE_UNSPECIFIED) from_full = source.range == AVCOL_RANGE_JPEG ? 1 : 0;
    // Unspecified means BT.601 to swscale, for high definition, too.
    const int* matrix = sws_getCoefficients(source.space);
    sws_setColorspaceDetails(s, matrix, from_full, matrix, to_full, brightness, contrast, saturation);
  }
  // swscale writes whole vectors, past the end of a row: it needs a frame with padding, like ffmpeg's.
  padded_ = make_frame();
  padded_->format = AV_PIX_FMT_RGB24;
  padded_->width = width;
  padded_->height = height;
  VL3_CHECK(av_frame_get_buffer(padded_.get(), 0) >= 0, kResourceExhausted,
            "no memory for a frame of {} x {}", width, height);
  shape_ = source;
}

Frame FrameConverter::convert(const AVFrame& frame) {
  const Rotation rotation = frame_rotation(frame, rotation_);
  FramePtr turned;
  if (!rotation.identity()) turned = rotate_frame(frame, rotation);
  const bool turn_rgb = !rotation.identity() && turned == nullptr;
  const AVFrame& source = turned != nullptr ? *turned : frame;
  const bool swap = turn_rgb && rotation.swaps_sides();
  if (out_width_ == 0) {
    out_width_ = swap ? source.height : source.width;
    out_height_ = swap ? source.width : source.height;
  }
  // Turning RGB afterwards starts from the unturned picture.
  const int height = swap ? out_width_ : out_height_;
  const int width = swap ? out_height_ : out_width_;
  prepare({source.width, source.height, source.format, source.color_range, source.colorspace}, height, width);
  Frame out{.height = height, .width = width, .rgb = {}, .pts_s = 0.0};
  const int rows = sws_scale(scaler_.get(), source.data, source.linesize, 0, source.height, padded_->data,
                             padded_->linesize);
  VL3_CHECK(rows == out.height, kInternal, "swscale gave {} of {} rows", rows, out.height);
  const size_t row_bytes = static_cast<size_t>(out.width) * 3;
  out.rgb.resize(row_bytes * static_cast<size_t>(out.height));
  for (int y = 0; y < out.height; ++y) {
    std::memcpy(out.rgb.data() + row_bytes * static_cast<size_t>(y),
                padded_->data[0] + static_cast<std::ptrdiff_t>(y) * padded_->linesize[0], row_bytes);
  }
  if (turn_rgb) apply_orientation(as_orientation(rotation), out.height, out.width, out.rgb);
  return out;
}

}  // namespace vl3::media
