#include "serve/media/blob.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/check.h"

namespace vl3::serve {
namespace {

constexpr uint64_t kInMemory = 64ull << 20;

}  // namespace

Blob::Blob(int fd, std::string name, std::string identity, uint64_t size)
    : fd_(fd), name_(std::move(name)), identity_(std::move(identity)), size_(size) {}
Blob::~Blob() { ::close(fd_); }

BlobWriter::BlobWriter(std::string name, uint64_t max_bytes) : name_(std::move(name)), max_bytes_(max_bytes) {
  fd_ = ::memfd_create("vl3-media", MFD_CLOEXEC);
  VL3_CHECK(fd_ >= 0, kResourceExhausted, "{}: no memory file: {}", name_, std::strerror(errno));
}

BlobWriter::~BlobWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void BlobWriter::write(int fd, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    VL3_CHECK(put > 0, kResourceExhausted, "{}: cannot be kept: {}", name_, std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

void BlobWriter::spill() {
  const std::string folder = std::filesystem::temp_directory_path().string();
  const int disk = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  VL3_CHECK(disk >= 0, kResourceExhausted, "{}: no temporary file in {}: {}", name_, folder,
            std::strerror(errno));
  off_t from = 0;
  while (from < static_cast<off_t>(size_)) {
    const ssize_t sent = ::sendfile(disk, fd_, &from, size_ - static_cast<uint64_t>(from));
    if (sent <= 0 && errno != EINTR) {
      ::close(disk);
      VL3_FAIL(kResourceExhausted, "{}: cannot be kept in {}: {}", name_, folder, std::strerror(errno));
    }
  }
  ::close(fd_);
  fd_ = disk;
  on_disk_ = true;
}

void BlobWriter::append(std::string_view bytes) {
  VL3_CHECK(size_ + bytes.size() <= max_bytes_, kResourceExhausted, "{}: more than {} bytes, the limit",
            name_, max_bytes_);
  if (!on_disk_ && size_ + bytes.size() > kInMemory) spill();
  write(fd_, bytes);
  hash_.add(bytes);
  size_ += bytes.size();
}

std::shared_ptr<const Blob> BlobWriter::finish() {
  return std::make_shared<const Blob>(std::exchange(fd_, -1), name_, "sha256:" + hash_.hex(), size_);
}

}  // namespace vl3::serve
