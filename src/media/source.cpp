#include "media/source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "core/file.h"
#include "core/printable.h"
#include "media/data_url.h"
#include "media/gif.h"
#include "media/sniff.h"
#include "net/fetch.h"
#include "net/url.h"

namespace vl3::media {
namespace {

constexpr uint64_t kSpoolInMemory = 64ull << 20;
constexpr size_t kHeadBytes = 1024;

// For people: short, on one line, without terminal escapes.
std::string short_name(const std::string& ref) {
  if (ref.size() <= 80) return printable(ref);
  size_t end = 77;
  while (end > 0 && (static_cast<unsigned char>(ref[end]) & 0xc0) == 0x80) --end;  // whole characters
  return printable(ref.substr(0, end)) + "...";
}

// A file without a name: gone when the descriptor closes, whatever happens to the process.
class TemporaryFile {
 public:
  TemporaryFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vl3-media-XXXXXX").string();
    fd_ = ::mkostemp(pattern.data(), O_CLOEXEC);
    VL3_CHECK(fd_ >= 0, kResourceExhausted, "{}: no temporary file can be made: {}", pattern,
              std::strerror(errno));
    ::unlink(pattern.c_str());
  }
  ~TemporaryFile() { ::close(fd_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void append(std::string_view data) {
    while (!data.empty()) {
      const ssize_t put = ::write(fd_, data.data(), data.size());
      if (put < 0 && errno == EINTR) continue;
      VL3_CHECK(put >= 0, kResourceExhausted, "temporary file: write failed: {}; set TMPDIR to a larger disk",
                std::strerror(errno));
      data.remove_prefix(static_cast<size_t>(put));
    }
  }
  std::filesystem::path path() const { return fmt::format("/proc/self/fd/{}", fd_); }

 private:
  int fd_ = -1;
};

// Takes in a medium of unknown length: in memory at first, then in a temporary file.
class Spool {
 public:
  Spool(std::string name, const MediaLimits& limits) : name_(std::move(name)), limits_(limits) {}

  void append(std::string_view piece) {
    size_ += piece.size();
    VL3_CHECK(size_ <= limits_.max_bytes, kResourceExhausted, "{}: more than {} bytes, the limit", name_,
              limits_.max_bytes);
    if (file_ != nullptr) {
      file_->append(piece);
    } else if (memory_.append(piece); memory_.size() > kSpoolInMemory) {
      file_ = std::make_shared<TemporaryFile>();
      file_->append(memory_);
      memory_ = std::string();
    }
  }
  uint64_t size() const { return size_; }

  MediaData take() {
    if (file_ == nullptr) return media_from_bytes(std::move(memory_), name_, limits_);
    return {.name = printable(name_), .path = file_->path(), .bytes = nullptr, .owner = file_};
  }

 private:
  std::string name_;
  const MediaLimits& limits_;
  std::string memory_;
  std::shared_ptr<TemporaryFile> file_;
  uint64_t size_ = 0;
};

MediaData from_path(const std::filesystem::path& path, const MediaLimits& limits) {
  struct stat status {};
  const std::string name = short_name(path.string());
  VL3_CHECK(::stat(path.c_str(), &status) == 0, kNotFound, "{}: {}", name, std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) {
    VL3_CHECK(S_ISREG(status.st_mode), kInvalidArgument,
              "{}: neither a file nor a folder; pipe its content to \"-\" instead", name);
    const auto size = static_cast<uint64_t>(status.st_size);
    VL3_CHECK(size <= limits.max_file_bytes, kResourceExhausted, "{}: {} bytes, the limit is {}", name, size,
              limits.max_file_bytes);
  }
  return {.name = name, .path = path, .bytes = nullptr, .owner = nullptr};
}

std::filesystem::path file_url_path(const std::string& url) {
  const size_t slash = url.find('/', 7);
  const std::string host = url.substr(7, slash == std::string::npos ? slash : slash - 7);
  VL3_CHECK(slash != std::string::npos && (host.empty() || host == "localhost"), kInvalidArgument,
            "{}: a file: URL names an absolute path on this machine: file:///path", short_name(url));
  const std::string path = percent_decode(std::string_view(url).substr(slash), short_name(url));
  VL3_CHECK(path.find('\0') == std::string::npos, kInvalidArgument, "{}: has a NUL in its path",
            short_name(url));
  return path;
}

std::string read_head(const MediaData& media) {
  if (media.in_memory()) return media.bytes->substr(0, kHeadBytes);
  const int fd = ::open(media.path.c_str(), O_RDONLY | O_CLOEXEC);
  VL3_CHECK(fd >= 0, kNotFound, "{}: cannot be opened: {}", media.name, std::strerror(errno));
  std::string head(kHeadBytes, '\0');
  const ssize_t got = ::pread(fd, head.data(), head.size(), 0);
  const int error = errno;
  ::close(fd);
  VL3_CHECK(got >= 0, kCorrupt, "{}: cannot be read: {}", media.name, std::strerror(error));
  head.resize(static_cast<size_t>(got));
  return head;
}

bool is_picture(const std::filesystem::path& path) {
  const MediaData media{.name = path.string(), .path = path, .bytes = nullptr, .owner = nullptr};
  return sniff_still(read_head(media)) != StillFormat::kNone;
}

}  // namespace

MediaData media_from_bytes(std::string bytes, std::string name, const MediaLimits& limits) {
  VL3_CHECK(bytes.size() <= limits.max_bytes, kResourceExhausted, "{}: {} bytes, the limit is {}", name,
            bytes.size(), limits.max_bytes);
  return {.name = printable(name),
          .path = {},
          .bytes = std::make_shared<const std::string>(std::move(bytes)),
          .owner = nullptr};
}

MediaData media_from_descriptor(int fd, const std::string& name, const MediaLimits& limits) {
  Spool spool(name, limits);
  std::vector<char> buffer(1 << 18);
  while (true) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    const int state = ::poll(&ready, 1, static_cast<int>(std::min(limits.timeout_s, 1e6) * 1000));
    if (state < 0 && errno == EINTR) continue;
    VL3_CHECK(state != 0, kResourceExhausted, "{}: nothing came for {} s after {} bytes", name,
              limits.timeout_s, spool.size());
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    VL3_CHECK(got >= 0, kCorrupt, "{}: read failed: {}", name, std::strerror(errno));
    if (got == 0) return spool.take();
    spool.append({buffer.data(), static_cast<size_t>(got)});
  }
}

MediaData open_media(const std::string& ref, const MediaLimits& limits) {
  VL3_CHECK(!ref.empty() && ref.find('\0') == std::string::npos, kInvalidArgument,
            "an empty media reference; give a file, a folder, a URL, or - for stdin");
  if (ref == "-") return media_from_descriptor(0, "stdin", limits);
  if (ref.starts_with("data:"))
    return media_from_bytes(decode_data_url(ref, limits.max_bytes), short_name(ref), limits);
  if (ref.starts_with("file://")) return from_path(file_url_path(ref), limits);
  if (net::is_web_address(ref)) {
    net::FetchOptions options;
    options.max_bytes = limits.max_bytes;
    options.timeout_s = limits.timeout_s;
    options.allow_private_addresses = limits.allow_private_addresses;
    Spool spool(short_name(ref), limits);
    net::download(ref, options, [&](std::string_view piece) { spool.append(piece); });
    return spool.take();
  }
  const size_t scheme = ref.find("://");
  VL3_CHECK(scheme == std::string::npos || scheme == 0 || std::filesystem::exists(ref), kInvalidArgument,
            "{}: unknown scheme; media come from files, folders, -, data:, file:, http: and https:",
            short_name(ref));
  return from_path(ref, limits);
}

const char* media_kind_name(MediaKind kind) {
  switch (kind) {
    case MediaKind::kImage:
      return "image";
    case MediaKind::kVideo:
      return "video";
    case MediaKind::kFrameFolder:
      return "frame folder";
  }
  return "unknown";
}

MediaKind sniff_media(const MediaData& media, const MediaLimits& limits) {
  if (!media.in_memory() && std::filesystem::is_directory(media.path)) {
    list_frames(media.path, limits);
    return MediaKind::kFrameFolder;
  }
  const std::string head = read_head(media);
  VL3_CHECK(!head.empty(), kCorrupt, "{}: is empty", media.name);
  switch (sniff_still(head)) {
    case StillFormat::kGif:
      return gif_has_frames(*read_media(media, limits), 2) ? MediaKind::kVideo : MediaKind::kImage;
    case StillFormat::kNone:
      break;
    default:
      return MediaKind::kImage;
  }
  if (sniff_video(head)) return MediaKind::kVideo;
  VL3_CHECK(!sniff_playlist(head), kUnsupported,
            "{}: is a playlist or script that names other files; give those files themselves", media.name);
  const char* refused = sniff_refused(head);
  VL3_CHECK(refused == nullptr, kUnsupported, "{}: {} is not read; convert it to PNG or JPEG", media.name,
            refused);
  VL3_FAIL(kUnsupported, "{}: neither a picture nor a video that vl3 knows (by its first bytes)", media.name);
}

std::shared_ptr<const std::string> read_media(const MediaData& media, const MediaLimits& limits) {
  if (media.in_memory()) return media.bytes;
  return std::make_shared<const std::string>(read_file(media.path, limits.max_bytes));
}

std::vector<std::filesystem::path> list_frames(const std::filesystem::path& folder, const MediaLimits& limits,
                                               size_t* others) {
  std::error_code error;
  std::vector<std::filesystem::path> frames;
  size_t left_out = 0;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::filesystem::path& path = it->path();
    std::error_code ignored;
    if (path.filename().string().starts_with('.') || !it->is_regular_file(ignored)) continue;
    if (!is_picture(path)) {
      ++left_out;
      continue;
    }
    VL3_CHECK(static_cast<int64_t>(frames.size()) < limits.max_frames, kResourceExhausted,
              "{}: more than {} pictures, the limit", folder.string(), limits.max_frames);
    frames.push_back(path);
  }
  VL3_CHECK(!error, kNotFound, "{}: cannot be listed: {}", folder.string(), error.message());
  VL3_CHECK(!frames.empty(), kNotFound, "{}: a folder without pictures", folder.string());
  if (others != nullptr) *others = left_out;
  std::sort(frames.begin(), frames.end());
  return frames;
}

}  // namespace vl3::media
