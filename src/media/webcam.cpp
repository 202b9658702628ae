#include "media/webcam.h"

extern "C" {
#include <libavdevice/avdevice.h>
}

#include <chrono>

#include "core/check.h"
#include "media/ffmpeg_handles.h"
#include "media/frame_converter.h"

namespace vl3::media {
namespace {

constexpr int kSettlingFrames = 5;  // cameras adjust their exposure over the first pictures

using Clock = std::chrono::steady_clock;

int past(void* deadline) { return Clock::now() > *static_cast<Clock::time_point*>(deadline) ? 1 : 0; }

struct CloseInput {
  void operator()(AVFormatContext* format) const { avformat_close_input(&format); }
};

}  // namespace

Frame grab_webcam(const std::string& device, double timeout_s) {
  redirect_ffmpeg_log();
  avdevice_register_all();
  const AVInputFormat* driver = av_find_input_format("v4l2");
  VL3_CHECK(driver != nullptr, kUnsupported, "{}: this FFmpeg has no V4L2 input", device);
  Clock::time_point deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout_s));
  AVFormatContext* opened = avformat_alloc_context();
  VL3_CHECK(opened != nullptr, kResourceExhausted, "{}: no memory", device);
  opened->interrupt_callback = {past, &deadline};
  int status =
      avformat_open_input(&opened, device.c_str(), driver, nullptr);  // frees the context when it fails
  VL3_CHECK(status >= 0, kNotFound, "{}: the camera cannot be opened: {}", device, ffmpeg_error(status));
  const std::unique_ptr<AVFormatContext, CloseInput> format(opened);
  const AVCodec* decoder = nullptr;
  const int stream = av_find_best_stream(format.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
  VL3_CHECK(stream >= 0 && decoder != nullptr, kUnsupported, "{}: no picture format that can be decoded",
            device);
  const CodecPtr codec(avcodec_alloc_context3(decoder));
  VL3_CHECK(codec != nullptr, kResourceExhausted, "{}: no memory", device);
  avcodec_parameters_to_context(codec.get(), format->streams[stream]->codecpar);
  status = avcodec_open2(codec.get(), decoder, nullptr);
  VL3_CHECK(status >= 0, kUnsupported, "{}: {}", device, ffmpeg_error(status));

  const PacketPtr packet = make_packet();
  const FramePtr frame = make_frame();
  FrameConverter converter{Rotation{}};
  for (int frames = 0; Clock::now() < deadline && av_read_frame(format.get(), packet.get()) >= 0;) {
    const bool ours = packet->stream_index == stream;
    const bool sent = ours && avcodec_send_packet(codec.get(), packet.get()) >= 0;
    av_packet_unref(packet.get());
    if (sent && avcodec_receive_frame(codec.get(), frame.get()) >= 0 && ++frames > kSettlingFrames) {
      return converter.convert(*frame);
    }
  }
  VL3_FAIL(kResourceExhausted, "{}: no picture within {} s", device, timeout_s);
}

}  // namespace vl3::media
