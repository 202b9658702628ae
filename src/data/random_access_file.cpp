#include "data/random_access_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/check.h"

namespace vl3::data {

RandomAccessFile::RandomAccessFile(std::filesystem::path path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  VL3_CHECK(fd_ >= 0, kNotFound, "{}: {}", path_.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd_);
    VL3_FAIL(kNotFound, "{}: is no regular file", path_.string());
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

RandomAccessFile::~RandomAccessFile() { ::close(fd_); }

size_t RandomAccessFile::read_some(uint64_t offset, char* data, size_t size) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd_, data + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    VL3_CHECK(got >= 0, kCorrupt, "{}: cannot be read at {}: {}", path_.string(), offset + done,
              std::strerror(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

std::string RandomAccessFile::read(uint64_t offset, size_t size) const {
  std::string bytes(size, '\0');
  VL3_CHECK(read_some(offset, bytes.data(), size) == size, kCorrupt,
            "{}: has become shorter than {} bytes since it was opened", path_.string(), offset + size);
  return bytes;
}

}  // namespace vl3::data
