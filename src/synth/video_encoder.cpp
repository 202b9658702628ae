#include "synth/video_encoder.h"

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/check.h"
#include "media/ffmpeg_handles.h"
#include "media/video_reader.h"

namespace vl3::synth {
namespace {

void must(int code, const char* what) {
  VL3_CHECK(code >= 0, kInternal, "writing a clip: {}: {}", what, media::ffmpeg_error(code));
}

// The muxer with its memory buffer; closing gives both back whatever has happened.
struct Mp4 {
  AVFormatContext* format = nullptr;
  Mp4() {
    must(avformat_alloc_output_context2(&format, nullptr, "mp4", nullptr), "mp4");
    must(avio_open_dyn_buf(&format->pb), "a buffer");
  }
  Mp4(const Mp4&) = delete;
  Mp4& operator=(const Mp4&) = delete;
  std::string bytes() {
    uint8_t* data = nullptr;
    const int size = avio_close_dyn_buf(format->pb, &data);
    format->pb = nullptr;
    std::string result(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
    av_free(data);
    return result;
  }
  ~Mp4() {
    if (format->pb != nullptr) (void)bytes();
    avformat_free_context(format);
  }
};

class Encoder {
 public:
  Encoder(int width, int height, double fps, int crf) : fps_(av_d2q(fps, 1001000)) {
    media::redirect_ffmpeg_log();
    const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
    VL3_CHECK(codec != nullptr, kUnsupported, "the installed FFmpeg has no libx264: use --video-codec png");
    codec_.reset(avcodec_alloc_context3(codec));
    VL3_CHECK(codec_ != nullptr, kResourceExhausted, "no memory for an encoder");
    codec_->width = width & ~1;
    codec_->height = height & ~1;
    codec_->pix_fmt = AV_PIX_FMT_YUV420P;
    codec_->color_range = AVCOL_RANGE_MPEG;
    codec_->colorspace = AVCOL_SPC_SMPTE170M;
    codec_->color_primaries = AVCOL_PRI_SMPTE170M;
    codec_->color_trc = AVCOL_TRC_SMPTE170M;
    codec_->time_base = av_inv_q(fps_);
    codec_->framerate = fps_;
    codec_->gop_size = 12;
    codec_->max_b_frames = 0;
    codec_->thread_count = 1;  // the same bytes every time
    codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    av_opt_set(codec_->priv_data, "preset", "veryfast", 0);
    av_opt_set(codec_->priv_data, "crf", std::to_string(crf).c_str(), 0);
    must(avcodec_open2(codec_.get(), codec, nullptr), "libx264");
    mp4_.format->flags |= AVFMT_FLAG_BITEXACT;
    stream_ = avformat_new_stream(mp4_.format, nullptr);
    VL3_CHECK(stream_ != nullptr, kResourceExhausted, "no memory for a stream");
    must(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "the stream's parameters");
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = fps_;
    must(avformat_write_header(mp4_.format, nullptr), "the header");
    scaler_.reset(sws_getContext(codec_->width, codec_->height, AV_PIX_FMT_RGB24, codec_->width,
                                 codec_->height, AV_PIX_FMT_YUV420P, SWS_AREA | SWS_ACCURATE_RND, nullptr,
                                 nullptr, nullptr));
    VL3_CHECK(scaler_ != nullptr, kInternal, "writing a clip: no colour conversion");
    frame_ = media::make_frame();
    packet_ = media::make_packet();
    frame_->format = AV_PIX_FMT_YUV420P;
    frame_->width = codec_->width;
    frame_->height = codec_->height;
    must(av_frame_get_buffer(frame_.get(), 0), "a frame");
  }

  void add(const media::Frame& frame) {
    must(av_frame_make_writable(frame_.get()), "a frame");
    const uint8_t* rgb[1] = {frame.rgb.data()};
    const int stride[1] = {frame.width * 3};
    sws_scale(scaler_.get(), rgb, stride, 0, codec_->height, frame_->data, frame_->linesize);
    frame_->pts = count_++;
    must(avcodec_send_frame(codec_.get(), frame_.get()), "a frame");
    drain();
  }

  std::string finish() {
    must(avcodec_send_frame(codec_.get(), nullptr), "the end");
    drain();
    must(av_write_trailer(mp4_.format), "the trailer");
    return mp4_.bytes();
  }

 private:
  void drain() {
    while (true) {
      const int code = avcodec_receive_packet(codec_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      must(code, "a packet");
      packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
      packet_->stream_index = stream_->index;
      must(av_interleaved_write_frame(mp4_.format, packet_.get()), "a packet");
    }
  }

  Mp4 mp4_;
  AVRational fps_;
  AVStream* stream_ = nullptr;
  media::CodecPtr codec_;
  media::ScalerPtr scaler_;
  media::FramePtr frame_;
  media::PacketPtr packet_;
  int64_t count_ = 0;
};

}  // namespace

std::string encode_h264_mp4(const std::vector<media::Frame>& frames, double fps, int crf) {
  VL3_CHECK(!frames.empty() && frames[0].width >= 2 && frames[0].height >= 2 && fps > 0, kInvalidArgument,
            "a clip needs frames of 2x2 pixels and more, and a rate above 0");
  Encoder encoder(frames[0].width, frames[0].height, fps, crf);
  for (const media::Frame& frame : frames) {
    VL3_CHECK(frame.width == frames[0].width && frame.height == frames[0].height, kInvalidArgument,
              "the frames of a clip differ in size: {}x{} and {}x{}", frames[0].width, frames[0].height,
              frame.width, frame.height);
    encoder.add(frame);
  }
  return encoder.finish();
}

void h264_round_trip(std::vector<media::Frame>& frames, double fps, int crf) {
  media::VideoOptions options;
  options.threads = 1;
  media::VideoReader reader(media::media_from_bytes(encode_h264_mp4(frames, fps, crf), "a clip in memory"),
                            {}, options);
  size_t at = 0;
  while (const AVFrame* decoded = reader.next()) {
    VL3_CHECK(at < frames.size(), kInternal, "a clip came back longer than it was");
    media::Frame frame = reader.to_rgb(*decoded);
    media::Frame& into = frames[at++];
    // Sides are even except where the caller asked for odd ones, whose edge then stays as drawn.
    for (int y = 0; y < frame.height; ++y) {
      std::copy_n(&frame.rgb[static_cast<size_t>(y) * static_cast<size_t>(frame.width) * 3], frame.width * 3,
                  &into.rgb[static_cast<size_t>(y) * static_cast<size_t>(into.width) * 3]);
    }
  }
  VL3_CHECK(at == frames.size(), kInternal, "a clip of {} frames came back with {}", frames.size(), at);
}

}  // namespace vl3::synth
