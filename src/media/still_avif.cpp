// The usual AVIF (one item, 8 bits, a common colour matrix) through FFmpeg's AV1 decoder and libyuv's arithmetic: equal
// to Pillow's pixels. libheif would upsample chroma by repetition, up to 80 levels off at coloured edges.
#include "core/check.h"
#include "core/log.h"
#include "media/still_codecs.h"
#include "media/video_reader.h"
#include "media/yuv_to_rgb.h"

namespace vl3::media {
namespace {

bool is_full_range(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
         frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P;
}

bool convert(const AVFrame& frame, Still& still) {
  if (frame.width != still.width || frame.height != still.height) return false;
  YuvPlanes planes;
  switch (frame.format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P: planes.shift_x = planes.shift_y = 1; break;
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P: planes.shift_x = 1; break;
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_GRAY8: break;
    default: return false;
  }
  YuvMatrix matrix = YuvMatrix::kBt601;
  switch (frame.colorspace) {
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M: break;
    case AVCOL_SPC_BT709: matrix = YuvMatrix::kBt709; break;
    case AVCOL_SPC_BT2020_NCL: matrix = YuvMatrix::kBt2020; break;
    default: return false;
  }
  planes.width = frame.width;
  planes.height = frame.height;
  planes.y = frame.data[0];
  planes.y_stride = frame.linesize[0];
  if (frame.format != AV_PIX_FMT_GRAY8) {
    planes.cb = frame.data[1];
    planes.cb_stride = frame.linesize[1];
    planes.cr = frame.data[2];
    planes.cr_stride = frame.linesize[2];
  }
  yuv_to_rgb(planes, matrix, is_full_range(frame), still.rgb.data());
  return true;
}

}  // namespace

bool decode_plain_avif(const StillRequest& request, Still& still) {
  try {
    MediaLimits limits;
    limits.max_pixels = request.max_pixels;
    const MediaData media{.name = request.name, .path = {}, .bytes = request.owner, .owner = nullptr};
    VideoReader reader(media, limits);
    const AVFrame* frame = reader.next();
    return frame != nullptr && reader.broken_packets() == 0 && convert(*frame, still);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kResourceExhausted) throw;
    logger().debug("{}: left to libheif: {}", request.name, error.what());
    return false;
  }
}

}  // namespace vl3::media
