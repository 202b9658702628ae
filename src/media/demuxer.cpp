#include "media/demuxer.h"

extern "C" {
#include <libavutil/display.h>
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/seconds.h"
#include "media/early_end.h"
#include "media/rotation.h"
#include "media/sniff.h"

namespace vl3::media {
namespace {

// Containers with the data inside. Left out on purpose: hls, dash, concat, image2, sdp, rtsp, lavfi and all
// others whose content can name files, hosts or programs.
constexpr const char* kContainers =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,gif,flv,live_flv,asf,ogg,ivf,"
    "yuv4mpegpipe,h264,hevc,"
    "m4v,mjpeg,obu,av1,nut,dv,mxf,rm,apng,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe";

constexpr int kIoBufferBytes = 1 << 16;
constexpr double kMicroseconds = 1e6;
using Clock = std::chrono::steady_clock;

// What FFmpeg reads from: an open file, or bytes in memory. `progress` stops it when nothing comes of the
// reading.
struct Input {
  ~Input() {
    if (fd >= 0) ::close(fd);
  }
  Input() = default;
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  bool stalled() const { return seconds_since(progress) > timeout_s; }

  static int read(void* opaque, uint8_t* out, int size) {
    auto* self = static_cast<Input*>(opaque);
    if (self->stalled()) return AVERROR_EXIT;
    const int64_t left = self->size - self->at;
    if (left <= 0) return AVERROR_EOF;
    ssize_t got = std::min<int64_t>(left, size);
    if (self->bytes != nullptr) {
      std::memcpy(out, self->bytes->data() + self->at, static_cast<size_t>(got));
    } else {
      do {
        got = ::pread(self->fd, out, static_cast<size_t>(got), self->at);
      } while (got < 0 && errno == EINTR);
      if (got < 0) return AVERROR(errno);
      if (got == 0) return AVERROR_EOF;
    }
    self->at += got;
    return static_cast<int>(got);
  }

  static int64_t seek(void* opaque, int64_t offset, int whence) {
    auto* self = static_cast<Input*>(opaque);
    if ((whence & AVSEEK_SIZE) != 0) return self->size;
    const int origin = whence & ~AVSEEK_FORCE;
    const int64_t base = origin == SEEK_CUR ? self->at : origin == SEEK_END ? self->size : 0;
    if (offset > INT64_MAX / 2 || offset < -INT64_MAX / 2 || base + offset < 0) return AVERROR(EINVAL);
    self->at = base + offset;
    return self->at;
  }

  std::string tail(int count) {
    const int64_t before = std::exchange(at, std::max<int64_t>(0, size - count));
    std::string out(static_cast<size_t>(size - at), '\0');
    const int got = read(this, reinterpret_cast<uint8_t*>(out.data()), static_cast<int>(out.size()));
    out.resize(static_cast<size_t>(std::max(got, 0)));
    at = before;
    return out;
  }

  int fd = -1;
  std::shared_ptr<const std::string> bytes;
  std::shared_ptr<const void> owner;
  int64_t at = 0;
  int64_t size = 0;
  double timeout_s = 60;
  Clock::time_point progress = Clock::now();
};

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

int is_stalled(void* opaque) { return static_cast<Input*>(opaque)->stalled() ? 1 : 0; }

// ffmpeg's own choice: the largest picture, a default stream well before others; cover art of audio files
// never.
int choose_stream(const AVFormatContext& format) {
  int best = -1;
  int64_t best_score = -1;
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    const AVStream& stream = *format.streams[i];
    if (stream.codecpar->codec_type != AVMEDIA_TYPE_VIDEO ||
        (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
      continue;
    const int64_t score = int64_t{stream.codecpar->width} * stream.codecpar->height +
                          ((stream.disposition & AV_DISPOSITION_DEFAULT) != 0 ? 5'000'000 : 0);
    if (score > best_score) {
      best_score = score;
      best = static_cast<int>(i);
    }
  }
  return best;
}

void check_size(const AVCodecParameters& codec, const std::string& name, const MediaLimits& limits) {
  if (codec.codec_type != AVMEDIA_TYPE_VIDEO || codec.width <= 0 || codec.height <= 0) return;
  VL3_CHECK(codec.width <= frame_pixels(limits) / codec.height, kResourceExhausted,
            "{}: frames of {} x {} pixels, the limit is {} in all", name, codec.width, codec.height,
            frame_pixels(limits));
}

}  // namespace

struct Demuxer::State {
  ~State() {
    avformat_close_input(&format);
    if (io != nullptr) {
      av_freep(&io->buffer);
      avio_context_free(&io);
    }
  }

  void open(const MediaData& media, const MediaLimits& limits);
  void find_streams(const MediaLimits& limits);
  void describe(const MediaLimits& limits);

  std::string name;
  Input input;
  AVIOContext* io = nullptr;
  AVFormatContext* format = nullptr;
  AVStream* stream = nullptr;
  VideoInfo info;
  bool damaged = false;
};

void Demuxer::State::open(const MediaData& media, const MediaLimits& limits) {
  redirect_ffmpeg_log();
  name = media.name;
  input.timeout_s = limits.timeout_s;
  input.bytes = media.bytes;
  input.owner = media.owner;
  if (media.in_memory()) {
    input.size = static_cast<int64_t>(media.bytes->size());
  } else {
    input.fd = ::open(media.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status {};
    VL3_CHECK(input.fd >= 0 && ::fstat(input.fd, &status) == 0, kNotFound, "{}: cannot be opened: {}", name,
              std::strerror(errno));
    VL3_CHECK(S_ISREG(status.st_mode), kInvalidArgument, "{}: is not a regular file", name);
    input.size = status.st_size;
  }
  VL3_CHECK(input.size > 0, kCorrupt, "{}: is empty", name);
  auto* buffer = static_cast<unsigned char*>(av_malloc(kIoBufferBytes));
  if (buffer != nullptr) {
    io = avio_alloc_context(buffer, kIoBufferBytes, 0, &input, &Input::read, nullptr, &Input::seek);
    if (io == nullptr) av_free(buffer);
  }
  format = avformat_alloc_context();
  VL3_CHECK(io != nullptr && format != nullptr, kResourceExhausted, "{}: no memory for a video reader", name);
  format->pb = io;
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  format->io_open = &refuse_to_open;
  format->interrupt_callback = {.callback = &is_stalled, .opaque = &input};
  format->format_whitelist = av_strdup(kContainers);
  format->protocol_whitelist = av_strdup("none");
  const int opened = avformat_open_input(&format, "", nullptr, nullptr);  // frees `format` when it fails
  if (opened == AVERROR_EXIT)
    VL3_FAIL(kResourceExhausted, "{}: no progress in {} s while opening", name, limits.timeout_s);
  VL3_CHECK(opened != AVERROR(EINVAL), kUnsupported, "{}: not one of the video containers that vl3 reads",
            name);
  VL3_CHECK(opened >= 0, kCorrupt, "{}: not a readable video: {}", name, ffmpeg_error(opened));
}

void Demuxer::State::find_streams(const MediaLimits& limits) {
  VL3_CHECK(format->nb_streams <= 64, kUnsupported, "{}: {} streams in one file", name, format->nb_streams);
  // The search decodes a few frames, and forgets the container's word on their size where they are refused.
  for (unsigned i = 0; i < format->nb_streams; ++i) check_size(*format->streams[i]->codecpar, name, limits);
  // Its decoders get the same limit on the picture's size.
  const unsigned known = format->nb_streams;
  std::vector<AVDictionary*> options(known + 1, nullptr);
  for (unsigned i = 0; i < known; ++i) {
    av_dict_set_int(&options[i], "max_pixels", frame_pixels(limits), 0);
    av_dict_set(&options[i], "threads", "1", 0);
  }
  const int found = avformat_find_stream_info(format, options.data());
  for (AVDictionary*& option : options) av_dict_free(&option);
  if (input.stalled())
    VL3_FAIL(kResourceExhausted, "{}: no progress in {} s while opening", name, limits.timeout_s);
  VL3_CHECK(found >= 0, kCorrupt, "{}: not a readable video: {}", name, ffmpeg_error(found));
  const int index = choose_stream(*format);
  VL3_CHECK(index >= 0, kUnsupported, "{}: has no video stream ({})", name, format->iformat->name);
  stream = format->streams[index];
  for (unsigned i = 0; i < format->nb_streams; ++i) {
    format->streams[i]->discard = static_cast<int>(i) == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
}

void Demuxer::State::describe(const MediaLimits& limits) {
  const AVCodecParameters& codec = *stream->codecpar;
  VL3_CHECK(codec.width > 0 && codec.height > 0, kCorrupt, "{}: its video stream has no readable frames",
            name);
  check_size(codec, name, limits);
  const Rotation rotation = stream_rotation(*stream);
  info.rotation = rotation.degrees();
  info.height = rotation.swaps_sides() ? codec.width : codec.height;
  info.width = rotation.swaps_sides() ? codec.height : codec.width;
  info.codec = avcodec_get_name(codec.codec_id);
  info.container = format->iformat->name;
  info.streams = static_cast<int>(format->nb_streams);
  info.frames = std::max<int64_t>(stream->nb_frames, 0);
  info.avg_fps = to_double(stream->avg_frame_rate);
  if (info.avg_fps <= 0) info.avg_fps = to_double(stream->r_frame_rate);
  if (stream->start_time != AV_NOPTS_VALUE) {
    info.start_s =
        std::round(static_cast<double>(stream->start_time) * to_double(stream->time_base) * kMicroseconds) /
        kMicroseconds;
  }
  if (format->duration != AV_NOPTS_VALUE && format->duration > 0) {
    info.duration_s = static_cast<double>(format->duration) / kMicroseconds;
  }
  VL3_CHECK(info.duration_s <= limits.max_seconds, kResourceExhausted,
            "{}: {:.0f} s long, the limit is {:.0f}", name, info.duration_s, limits.max_seconds);
}

Demuxer::Demuxer(const MediaData& media, const MediaLimits& limits) : state_(std::make_unique<State>()) {
  state_->open(media, limits);
  state_->find_streams(limits);
  state_->describe(limits);
}

Demuxer::~Demuxer() = default;
Demuxer::Demuxer(Demuxer&&) noexcept = default;
Demuxer& Demuxer::operator=(Demuxer&&) noexcept = default;

const VideoInfo& Demuxer::info() const { return state_->info; }
const std::string& Demuxer::name() const { return state_->name; }
const AVStream* Demuxer::stream() const { return state_->stream; }
bool Demuxer::damaged() const { return state_->damaged; }

int64_t Demuxer::container_start_us() const {
  const int64_t start = state_->format->start_time;
  return start == AV_NOPTS_VALUE ? 0 : start;
}

bool Demuxer::next(AVPacket& packet) {
  State& s = *state_;
  s.input.progress = Clock::now();
  while (true) {
    av_packet_unref(&packet);
    const int got = av_read_frame(s.format, &packet);
    VL3_CHECK(!s.input.stalled(), kResourceExhausted, "{}: no video packet in {} s", s.name,
              s.input.timeout_s);
    if (got == AVERROR(EAGAIN)) continue;
    if (got < 0) {
      s.damaged = got != AVERROR_EOF;
      return false;
    }
    // Empty packets would mean "end of stream" to a decoder; ffmpeg skips them, too.
    if (packet.stream_index == s.stream->index && packet.size > 0) return true;
  }
}

std::string Demuxer::early_end(double end_s, double tolerance_s) {
  State& s = *state_;
  s.input.progress = Clock::now();
  return media::early_end(*s.format, *s.stream, s.input.size, s.input.tail(kTailBytes), end_s, tolerance_s);
}

bool Demuxer::seek(int64_t pts) {
  State& s = *state_;
  s.input.progress = Clock::now();
  s.damaged = false;
  return avformat_seek_file(s.format, s.stream->index, INT64_MIN, pts, pts, AVSEEK_FLAG_BACKWARD) >= 0;
}

}  // namespace vl3::media
