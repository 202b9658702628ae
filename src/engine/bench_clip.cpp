#include "engine/bench_clip.h"

#include "core/check.h"
#include "media/ffmpeg_handles.h"

namespace vl3::engine {
namespace {

void checked(int code, const char* what) {
  VL3_CHECK(code >= 0, kUnsupported, "the clip of the benchmark: {}: {}", what, media::ffmpeg_error(code));
}

// Stripes that move by four pixels a frame, with a fine pattern, so that prediction and residuals are at
// work.
void draw(AVFrame& frame, int t) {
  for (int plane = 0; plane < 3; ++plane) {
    const int half = plane == 0 ? 0 : 1;
    for (int y = 0; y < frame.height >> half; ++y) {
      for (int x = 0; x < frame.width >> half; ++x) {
        const int value = plane == 0 ? (x + 4 * t) / 8 * 16 + (x * y % 13) : 96 + (y + t * plane) / 4 % 64;
        frame.data[plane][y * frame.linesize[plane] + x] = static_cast<uint8_t>(value);
      }
    }
  }
}

class ClipWriter {
 public:
  ClipWriter(int width, int height) {
    media::redirect_ffmpeg_log();
    const AVCodec* encoder = avcodec_find_encoder_by_name("libx264");  // others may want a device
    if (encoder == nullptr) encoder = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    VL3_CHECK(encoder != nullptr, kUnsupported, "this FFmpeg encodes neither H.264 nor MPEG-4");
    checked(avformat_alloc_output_context2(&file_, nullptr, "matroska", nullptr), "container");
    checked(avio_open_dyn_buf(&file_->pb), "memory");
    codec_.reset(avcodec_alloc_context3(encoder));
    VL3_CHECK(codec_ != nullptr, kResourceExhausted, "no memory for an encoder");
    codec_->width = width;
    codec_->height = height;
    codec_->pix_fmt = AV_PIX_FMT_YUV420P;
    codec_->time_base = {1, 30};
    codec_->bit_rate = 4'000'000;
    codec_->gop_size = 24;
    codec_->thread_count = 2;
    codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary* options = nullptr;
    av_dict_set(&options, "preset", "veryfast", 0);
    const int opened = avcodec_open2(codec_.get(), encoder, &options);
    av_dict_free(&options);
    checked(opened, "encoder");
    stream_ = avformat_new_stream(file_, nullptr);
    VL3_CHECK(stream_ != nullptr, kResourceExhausted, "no memory for a stream");
    stream_->time_base = codec_->time_base;
    checked(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "stream");
    checked(avformat_write_header(file_, nullptr), "header");
  }
  ~ClipWriter() {
    if (file_ == nullptr) return;
    uint8_t* buffer = nullptr;
    if (file_->pb != nullptr) avio_close_dyn_buf(file_->pb, &buffer);
    av_free(buffer);
    avformat_free_context(file_);
  }
  ClipWriter(const ClipWriter&) = delete;
  ClipWriter& operator=(const ClipWriter&) = delete;

  /// @param frame  null at the end.
  void encode(const AVFrame* frame) {
    checked(avcodec_send_frame(codec_.get(), frame), "frame");
    while (avcodec_receive_packet(codec_.get(), packet_.get()) >= 0) {
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
      packet_->stream_index = stream_->index;
      checked(av_interleaved_write_frame(file_, packet_.get()), "packet");
    }
  }

  std::string finish() {
    checked(av_write_trailer(file_), "trailer");
    uint8_t* buffer = nullptr;
    const int size = avio_close_dyn_buf(file_->pb, &buffer);
    file_->pb = nullptr;
    std::string bytes(reinterpret_cast<const char*>(buffer), static_cast<size_t>(size));
    av_free(buffer);
    return bytes;
  }

 private:
  AVFormatContext* file_ = nullptr;
  AVStream* stream_ = nullptr;
  media::CodecPtr codec_;
  media::PacketPtr packet_ = media::make_packet();
};

}  // namespace

std::string make_clip(int width, int height, int frames) {
  ClipWriter writer(width, height);
  const media::FramePtr frame = media::make_frame();
  frame->format = AV_PIX_FMT_YUV420P;
  frame->width = width;
  frame->height = height;
  checked(av_frame_get_buffer(frame.get(), 0), "picture");
  for (int t = 0; t < frames; ++t) {
    checked(av_frame_make_writable(frame.get()), "picture");
    draw(*frame, t);
    frame->pts = t;
    writer.encode(frame.get());
  }
  writer.encode(nullptr);
  return writer.finish();
}

}  // namespace vl3::engine
