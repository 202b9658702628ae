#include "media/ffmpeg_handles.h"

#include <array>
#include <cstdarg>
#include <mutex>

#include "core/check.h"
#include "core/log.h"

namespace vl3::media {
namespace {

void on_log(void* object, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_WARNING || !logger().should_log(spdlog::level::debug)) return;
  std::array<char, 512> line{};
  int print_prefix = 1;
  av_log_format_line2(object, level, format, arguments, line.data(), static_cast<int>(line.size()),
                      &print_prefix);
  std::string text(line.data());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  logger().debug("ffmpeg: {}", text);
}

}  // namespace

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  VL3_CHECK(packet != nullptr, kResourceExhausted, "no memory for a video packet");
  return packet;
}

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  VL3_CHECK(frame != nullptr, kResourceExhausted, "no memory for a video frame");
  return frame;
}

std::string ffmpeg_error(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

void redirect_ffmpeg_log() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(&on_log); });
}

}  // namespace vl3::media
