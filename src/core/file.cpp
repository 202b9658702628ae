#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace vl3 {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Opens a regular file; a directory, device or pipe is refused rather than read for ever.
int open_regular(const std::filesystem::path& path, uint64_t* size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  VL3_CHECK(fd >= 0, kNotFound, "{}: cannot be opened: {}", path.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    VL3_FAIL(kNotFound, "{}: is not a regular file", path.string());
  }
  *size = static_cast<uint64_t>(status.st_size);
  return fd;
}

}  // namespace

std::string read_file(const std::filesystem::path& path, uint64_t max_bytes) {
  uint64_t size = 0;
  const Descriptor fd(open_regular(path, &size));
  VL3_CHECK(size <= max_bytes, kResourceExhausted, "{}: {} bytes, the limit is {}", path.string(), size,
            max_bytes);
  std::string content(size, '\0');
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(fd.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    VL3_CHECK(got >= 0, kCorrupt, "{}: read failed: {}", path.string(), std::strerror(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  content.resize(done);
  return content;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.append(content.data(), content.size());
  file.commit();
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<int> counter{0};
  temporary_ = path_;
  temporary_ += fmt::format(".tmp-{}-{}", ::getpid(), counter++);
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  VL3_CHECK(fd_ >= 0, kInvalidArgument, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* what) {
  const int error = errno;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {  // EFBIG: the shell's limit (ulimit -f)
    VL3_FAIL(kResourceExhausted, "{}: {} failed: {}", path_.string(), what, std::strerror(error));
  }
  VL3_FAIL(kInvalidArgument, "{}: {} failed: {}", path_.string(), what, std::strerror(error));
}

void AtomicFile::append(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t put = ::write(fd_, bytes, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("write");
    bytes += put;
    size -= static_cast<size_t>(put);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail("fsync");
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    errno = error;
    fail("rename");
  }
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor fd(open_regular(path, &size_));
  if (size_ == 0) return;
  void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  VL3_CHECK(map != MAP_FAILED, kResourceExhausted, "{}: cannot be mapped: {}", path.string(),
            std::strerror(errno));
  data_ = static_cast<const std::byte*>(map);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

}  // namespace vl3
