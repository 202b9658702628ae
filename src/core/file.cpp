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
#include "core/descriptor.h"

namespace vl3 {
namespace {

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

// The file that a path names in the end, which need not exist; a rename onto a link would replace the link.
std::filesystem::path follow_links(std::filesystem::path path) {
  constexpr int kMaxLinks = 40;  // as the kernel's limit
  std::error_code error;
  for (int i = 0; i < kMaxLinks && std::filesystem::is_symlink(path, error); ++i) {
    const std::filesystem::path to = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / to;  // an absolute `to` replaces it all
  }
  return path;
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
  struct stat status {};
  const bool there = ::stat(path_.c_str(), &status) == 0;
  VL3_CHECK(there || errno == ENOENT, kInvalidArgument, "{}: cannot be written: {}", path_.string(),
            std::strerror(errno));
  if (there && !S_ISREG(status.st_mode)) {
    VL3_CHECK(S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode), kInvalidArgument,
              "{}: is neither a file nor a stream; name a file to write", path_.string());
    // O_NOCTTY and no O_CREAT, O_TRUNC: the device or pipe is written to and stays what it is.
    fd_ = ::open(path_.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  } else {
    target_ = follow_links(path_);
    temporary_ = target_;
    temporary_ += fmt::format(".tmp-{}-{}", ::getpid(), counter++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  }
  VL3_CHECK(fd_ >= 0, kInvalidArgument, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!streamed()) ::unlink(temporary_.c_str());
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
  if (!streamed() && ::fsync(fd_) != 0) fail("fsync");
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0 || (!streamed() && ::rename(temporary_.c_str(), target_.c_str()) != 0)) {
    const int error = errno;
    if (!streamed()) ::unlink(temporary_.c_str());
    errno = error;
    fail(streamed() ? "write" : "rename");
  }
}

Appended append_whole(int fd, std::string_view bytes) {
  ssize_t put = 0;
  do put = ::write(fd, bytes.data(), bytes.size());
  while (put < 0 && errno == EINTR);
  if (put == static_cast<ssize_t>(bytes.size())) return {};
  if (put < 0) return {.error = errno};
  const off_t end = ::lseek(fd, 0, SEEK_END);
  return {.error = ENOSPC, .torn = put > 0 && ::ftruncate(fd, end - put) != 0};
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
