// The usual AVIF (one item, a common colour matrix) through FFmpeg's AV1 decoder and libyuv's arithmetic:
// equal to Pillow's pixels. libheif would upsample chroma by repetition, up to 80 levels off at coloured
// edges.
extern "C" {
#include <libavutil/pixdesc.h>
}

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <vector>

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

struct Layout {
  int shift_x = 0, shift_y = 0;
  bool grey = false;
  int depth = 8;
};

std::optional<Layout> layout_of(int format) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format));
  if (d == nullptr || (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_BE)) != 0) return std::nullopt;
  const bool grey = d->nb_components == 1;
  const int depth = d->comp[0].depth;
  if ((!grey && (d->nb_components != 3 || (d->flags & AV_PIX_FMT_FLAG_PLANAR) == 0)) || depth < 8 ||
      depth > 12)
    return std::nullopt;
  if (d->log2_chroma_w > 1 || d->log2_chroma_h > d->log2_chroma_w) return std::nullopt;
  return Layout{d->log2_chroma_w, d->log2_chroma_h, grey, depth};
}

// libavif drops the lower bits of deeper pictures before the conversion.
std::vector<uint8_t> narrowed(const uint8_t* plane, int stride, int width, int height, int depth) {
  std::vector<uint8_t> out(static_cast<size_t>(width) * static_cast<size_t>(height));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint16_t value = 0;
      std::memcpy(&value, plane + static_cast<std::ptrdiff_t>(y) * stride + 2 * x, 2);
      out[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)] =
          static_cast<uint8_t>(value >> (depth - 8));
    }
  }
  return out;
}

bool convert(const AVFrame& frame, Still& still) {
  if (frame.width != still.width || frame.height != still.height) return false;
  const std::optional<Layout> layout = layout_of(frame.format);
  if (!layout || (layout->grey && layout->depth > 8)) return false;
  YuvMatrix matrix = YuvMatrix::kBt601;
  switch (frame.colorspace) {
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      break;
    case AVCOL_SPC_BT709:
      matrix = YuvMatrix::kBt709;
      break;
    case AVCOL_SPC_BT2020_NCL:
      matrix = YuvMatrix::kBt2020;
      break;
    default:
      return false;
  }
  YuvPlanes planes;
  planes.width = frame.width;
  planes.height = frame.height;
  planes.shift_x = layout->shift_x;
  planes.shift_y = layout->shift_y;
  std::array<std::vector<uint8_t>, 3> narrow;
  const auto take = [&](size_t i, const uint8_t** plane, int* stride) {
    *plane = frame.data[i];
    *stride = frame.linesize[i];
    if (layout->depth == 8) return;
    const int width = i == 0 ? frame.width : AV_CEIL_RSHIFT(frame.width, layout->shift_x);
    const int height = i == 0 ? frame.height : AV_CEIL_RSHIFT(frame.height, layout->shift_y);
    narrow[i] = narrowed(*plane, *stride, width, height, layout->depth);
    *plane = narrow[i].data();
    *stride = width;
  };
  take(0, &planes.y, &planes.y_stride);
  if (!layout->grey) {
    take(1, &planes.cb, &planes.cb_stride);
    take(2, &planes.cr, &planes.cr_stride);
  }
  yuv_to_rgb(planes, matrix, is_full_range(frame), still.rgb.data());
  return true;
}

}  // namespace

bool decode_plain_avif(const StillRequest& request, Still& still) {
  try {
    MediaLimits limits;
    limits.max_pixels = limits.max_frame_pixels = request.max_pixels;
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
