#include "curate/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace vl3::curate {

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& path, Mode mode) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  VL3_CHECK(fd >= 0, kInvalidArgument, "{}: cannot be written: {}", path.string(), std::strerror(errno));
  const int kind = mode == Mode::kShared ? LOCK_SH : LOCK_EX;
  int status = 0;
  do status = ::flock(fd, kind | LOCK_NB);
  while (status != 0 && errno == EINTR);
  if (status != 0 && errno == EWOULDBLOCK) {
    ::close(fd);
    return std::nullopt;
  }
  return FileLock(fd);  // where locks are not supported nobody can be kept out
}

FileLock FileLock::lock(const std::filesystem::path& path, Mode mode, const StepHooks& hooks,
                        const std::string& waiting) {
  for (bool said = false;; said = true) {
    if (std::optional<FileLock> lock = try_lock(path, mode)) return std::move(*lock);
    if (!said) hooks.say(waiting);
    hooks.stop_if_asked("waiting for another process");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

}  // namespace vl3::curate
