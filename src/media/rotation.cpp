#include "media/rotation.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "core/check.h"
#include "core/log.h"

namespace vl3::media {
namespace {

// Clockwise turn and mirroring as ffmpeg derives them from the 3x3 matrix (16.16 fixed point).
Rotation from_matrix(const int32_t* matrix) {
  double theta = -std::round(av_display_rotation_get(matrix));
  if (std::isnan(theta)) return {};
  theta -= 360 * std::floor(theta / 360 + 0.9 / 360);
  const auto near = [&](double angle) { return std::fabs(theta - angle) < 1.0; };
  if (near(90)) return {.transposed = true, .from_bottom = matrix[3] <= 0, .from_right = false};
  if (near(180)) return {.transposed = false, .from_bottom = matrix[4] < 0, .from_right = matrix[0] < 0};
  if (near(270)) return {.transposed = true, .from_bottom = matrix[3] < 0, .from_right = true};
  if (std::fabs(theta) > 1.0) {
    logger().warn("video is to be shown turned by {:.0f} degrees, which is no quarter turn; shown as stored",
                  theta);
    return {};
  }
  return {.transposed = false, .from_bottom = matrix[4] < 0, .from_right = false};
}

template <size_t Step>
void turn_plane(const uint8_t* source, int source_stride, int source_height, int source_width, uint8_t* out,
                int out_stride, const Rotation& r) {
  const int height = r.transposed ? source_width : source_height;
  const int width = r.transposed ? source_height : source_width;
  for (int row = 0; row < height; ++row) {
    uint8_t* to = out + static_cast<std::ptrdiff_t>(row) * out_stride;
    for (int column = 0; column < width; ++column, to += Step) {
      int y = r.transposed ? column : row;
      int x = r.transposed ? row : column;
      if (r.from_bottom) y = source_height - 1 - y;
      if (r.from_right) x = source_width - 1 - x;
      std::memcpy(to, source + static_cast<std::ptrdiff_t>(y) * source_stride + static_cast<size_t>(x) * Step,
                  Step);
    }
  }
}

}  // namespace

int Rotation::degrees() const {
  if (transposed) return from_bottom ? 90 : from_right ? 270 : 90;
  return from_bottom && from_right ? 180 : 0;
}

Rotation stream_rotation(const AVStream& stream) {
  const uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
  return matrix == nullptr ? Rotation{} : from_matrix(reinterpret_cast<const int32_t*>(matrix));
}

Rotation frame_rotation(const AVFrame& frame, const Rotation& fallback) {
  const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  if (data == nullptr || data->size < 9 * sizeof(int32_t)) return fallback;
  return from_matrix(reinterpret_cast<const int32_t*>(data->data));
}

FramePtr rotate_frame(const AVFrame& frame, const Rotation& rotation) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const AVPixFmtDescriptor* layout = av_pix_fmt_desc_get(format);
  if (layout == nullptr ||
      (layout->flags & (AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL)) != 0)
    return nullptr;
  if (rotation.transposed && layout->log2_chroma_w != layout->log2_chroma_h) return nullptr;
  std::array<int, 4> steps{};
  std::array<int, 4> step_components{};
  av_image_fill_max_pixsteps(steps.data(), step_components.data(), layout);
  const int planes = av_pix_fmt_count_planes(format);
  // Packed YUV shares a chroma sample between neighbours in one plane.
  if (planes == 1 && layout->log2_chroma_w != 0) return nullptr;

  FramePtr out = make_frame();
  out->format = frame.format;
  out->width = rotation.transposed ? frame.height : frame.width;
  out->height = rotation.transposed ? frame.width : frame.height;
  VL3_CHECK(av_frame_get_buffer(out.get(), 0) >= 0 && av_frame_copy_props(out.get(), &frame) >= 0,
            kResourceExhausted, "no memory to turn a frame of {} x {}", frame.width, frame.height);
  for (int plane = 0; plane < planes; ++plane) {
    const bool chroma = plane == 1 || plane == 2;
    const int width = chroma ? AV_CEIL_RSHIFT(frame.width, layout->log2_chroma_w) : frame.width;
    const int height = chroma ? AV_CEIL_RSHIFT(frame.height, layout->log2_chroma_h) : frame.height;
    const auto turn = [&]<size_t Step>() {
      turn_plane<Step>(frame.data[plane], frame.linesize[plane], height, width, out->data[plane],
                       out->linesize[plane], rotation);
    };
    switch (steps[static_cast<size_t>(plane)]) {
      case 1:
        turn.template operator()<1>();
        break;
      case 2:
        turn.template operator()<2>();
        break;
      case 3:
        turn.template operator()<3>();
        break;
      case 4:
        turn.template operator()<4>();
        break;
      case 6:
        turn.template operator()<6>();
        break;
      case 8:
        turn.template operator()<8>();
        break;
      default:
        return nullptr;
    }
  }
  return out;
}

}  // namespace vl3::media
