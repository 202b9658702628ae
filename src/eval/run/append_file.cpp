#include "eval/run/append_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "core/file.h"

namespace vl3::eval {
namespace {

constexpr uint64_t kMaxFile = 4ull << 30;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0;;) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) return lines;
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  VL3_CHECK(fd_ >= 0, kNotFound, "{}: cannot be opened: {}", path_.string(), std::strerror(errno));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd_);
    VL3_FAIL(kInvalidArgument, "{}: another run is writing it; wait for it, or choose another --output",
             path_.string());
  }
  try {
    const std::string text = read_file(path_, kMaxFile);
    lines_ = lines_of(text);
    const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
    VL3_CHECK(whole == text.size() || ::ftruncate(fd_, static_cast<off_t>(whole)) == 0, kInvalidArgument,
              "{}: cannot be written: {}", path_.string(), std::strerror(errno));
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(const OrderedJson& line) {
  const std::string text = line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  const Appended appended = append_whole(fd_, text);
  VL3_CHECK(appended.error == 0, kResourceExhausted, "{}: cannot be written: {}", path_.string(),
            std::strerror(appended.error));
}

bool AppendFile::in_use(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return locked;
}

std::vector<std::string> whole_lines(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  return lines_of(read_file(path, kMaxFile));
}

}  // namespace vl3::eval
