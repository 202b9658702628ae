#include "media/video_reader.h"

#include <chrono>

#include "core/check.h"
#include "core/log.h"

namespace vl3::media {

VideoReader::VideoReader(const MediaData& media, const MediaLimits& limits, const VideoOptions& options)
    : limits_(limits),
      demuxer_(media, limits),
      converter_(stream_rotation(*demuxer_.stream())),
      cancelled_(options.cancelled),
      packet_(make_packet()),
      frame_(make_frame()) {
  open_decoder(options);
}

void VideoReader::open_decoder(const VideoOptions& options) {
  const AVStream& stream = *demuxer_.stream();
  const AVCodec* decoder = avcodec_find_decoder(stream.codecpar->codec_id);
  VL3_CHECK(decoder != nullptr, kUnsupported, "{}: no decoder for {} in this FFmpeg", demuxer_.name(),
            info().codec);
  codec_.reset(avcodec_alloc_context3(decoder));
  VL3_CHECK(codec_ != nullptr && avcodec_parameters_to_context(codec_.get(), stream.codecpar) >= 0,
            kResourceExhausted, "{}: no memory for a {} decoder", demuxer_.name(), info().codec);
  codec_->pkt_timebase = stream.time_base;
  codec_->thread_count = options.threads;
  codec_->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
  codec_->max_pixels = frame_pixels(limits_);
  const int opened = avcodec_open2(codec_.get(), decoder, nullptr);
  VL3_CHECK(opened >= 0, kCorrupt, "{}: the {} decoder does not start: {}", demuxer_.name(), info().codec,
            ffmpeg_error(opened));
}

// Gives the decoder one packet, or tells it that there are no more.
bool VideoReader::feed() {
  VL3_CHECK(cancelled_ == nullptr || !cancelled_->load(), kCancelled, "{}: reading was cancelled",
            demuxer_.name());
  if (!demuxer_.next(*packet_)) {
    draining_ = true;
    return avcodec_send_packet(codec_.get(), nullptr) >= 0;
  }
  const int sent = avcodec_send_packet(codec_.get(), packet_.get());
  av_packet_unref(packet_.get());
  VL3_CHECK(sent != AVERROR(ENOMEM), kResourceExhausted, "{}: no memory to decode", demuxer_.name());
  if (sent < 0 && sent != AVERROR(EAGAIN)) {
    ++broken_packets_;
    logger().debug("{}: a packet was not decoded: {}", demuxer_.name(), ffmpeg_error(sent));
  }
  return true;
}

const AVFrame* VideoReader::next() {
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    const int got = avcodec_receive_frame(codec_.get(), frame_.get());
    if (got >= 0) {
      if (frame_->width <= 0 || frame_->height <= 0 || frame_->data[0] == nullptr) continue;
      // Decoders hide damage where they can; the frame is used, but it counts.
      if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0) ++broken_packets_;
      return frame_.get();
    }
    if (got == AVERROR_EOF) return nullptr;
    VL3_CHECK(got != AVERROR(ENOMEM), kResourceExhausted, "{}: no memory to decode", demuxer_.name());
    if (got != AVERROR(EAGAIN)) {  // frame threads report a broken packet here
      ++broken_packets_;
      logger().debug("{}: a frame was not decoded: {}", demuxer_.name(), ffmpeg_error(got));
      if (!draining_) continue;
    }
    if (draining_ && got == AVERROR(EAGAIN)) return nullptr;
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
    VL3_CHECK(waited.count() <= limits_.timeout_s, kResourceExhausted, "{}: no frame decoded in {} s",
              demuxer_.name(), limits_.timeout_s);
    if (!draining_) feed();
  }
}

Frame VideoReader::to_rgb(const AVFrame& frame) {
  Frame out = converter_.convert(frame);
  if (frame.best_effort_timestamp != AV_NOPTS_VALUE) {
    out.pts_s = static_cast<double>(frame.best_effort_timestamp) * to_double(demuxer_.stream()->time_base);
  }
  return out;
}

bool VideoReader::seek(int64_t pts) {
  draining_ = false;
  avcodec_flush_buffers(codec_.get());
  return demuxer_.seek(pts);
}

std::vector<Frame> read_all_frames(const MediaData& media, int64_t max_frames, const MediaLimits& limits) {
  VideoReader reader(media, limits);
  std::vector<Frame> frames;
  while (reader.next() != nullptr) {
    VL3_CHECK(static_cast<int64_t>(frames.size()) < max_frames, kResourceExhausted, "{}: more than {} frames",
              media.name, max_frames);
    frames.push_back(reader.to_rgb());
  }
  VL3_CHECK(!frames.empty(), kCorrupt, "{}: not one of its frames could be decoded", media.name);
  return frames;
}

}  // namespace vl3::media
