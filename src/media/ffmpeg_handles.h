// Owning pointers for FFmpeg's objects, and its error texts. For media/'s own files only.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/error.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

namespace vl3::media {

struct FfmpegDeleter {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
using PacketPtr = std::unique_ptr<AVPacket, FfmpegDeleter>;
using FramePtr = std::unique_ptr<AVFrame, FfmpegDeleter>;
using CodecPtr = std::unique_ptr<AVCodecContext, FfmpegDeleter>;
using ScalerPtr = std::unique_ptr<SwsContext, FfmpegDeleter>;

/// Both throw Error(kResourceExhausted) without memory.
PacketPtr make_packet();
FramePtr make_frame();

/// FFmpeg's own words for a negative return value.
std::string ffmpeg_error(int code);

/// Sends FFmpeg's log (a global of that library, which would go to stderr) to logger().debug; idempotent.
void redirect_ffmpeg_log();

/// A rational as a number; 0 when its denominator is 0.
inline double to_double(AVRational value) { return value.den == 0 ? 0.0 : av_q2d(value); }

}  // namespace vl3::media
