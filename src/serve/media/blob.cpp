#include "serve/media/blob.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/check.h"

namespace vl3::serve {
namespace {

std::atomic<size_t> open_blobs{0};

void write_all(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    VL3_CHECK(put > 0, kResourceExhausted, "{}: cannot be kept: {}", name, std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

}  // namespace

MemoryFile::MemoryFile(std::string name)
    : name_(std::move(name)), fd_(::memfd_create("vl3-media", MFD_CLOEXEC)) {
  VL3_CHECK(fd_ >= 0, kResourceExhausted, "{}: no memory file: {}", name_, std::strerror(errno));
}

MemoryFile::~MemoryFile() {
  if (fd_ >= 0) ::close(fd_);
}

void MemoryFile::append(std::string_view bytes) const { write_all(fd_, bytes, name_); }
int MemoryFile::release() { return std::exchange(fd_, -1); }

Blob::Blob(int fd, std::string name, std::string identity, uint64_t size)
    : fd_(fd), name_(std::move(name)), identity_(std::move(identity)), size_(size) {
  ++open_blobs;
}
Blob::Blob(std::string bytes, std::string name, std::string identity)
    : bytes_(std::move(bytes)),
      name_(std::move(name)),
      identity_(std::move(identity)),
      size_(bytes_.size()) {}

Blob::~Blob() {
  if (fd_ < 0) return;
  ::close(fd_);
  --open_blobs;
}

size_t Blob::open_descriptors() { return open_blobs; }

size_t Blob::max_descriptors() {
  constexpr size_t kEnough = 4096;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kEnough;
  return std::min<size_t>(kEnough, limit.rlim_cur / 4);
}

BlobWriter::BlobWriter(std::string name, uint64_t max_bytes, bool may_open)
    : name_(std::move(name)), max_bytes_(max_bytes), may_open_(may_open) {}

BlobWriter::~BlobWriter() {
  if (fd_ >= 0) ::close(fd_);
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

void BlobWriter::move_to_place_for(uint64_t size) {
  if (size > kSmall && fd_ < 0 && may_open_) {
    MemoryFile file(name_);
    file.append(bytes_);
    bytes_ = std::string();
    fd_ = file.release();
  }
  if (size <= kInMemory || on_disk_) return;
  VL3_CHECK(fd_ >= 0, kResourceExhausted,
            "{}: more than {} bytes while many large media are held already; try again later or send fewer",
            name_, kInMemory);
  spill();
}

void BlobWriter::append(std::string_view bytes) {
  VL3_CHECK(size_ + bytes.size() <= max_bytes_, kResourceExhausted, "{}: more than {} bytes, the limit",
            name_, max_bytes_);
  move_to_place_for(size_ + bytes.size());
  if (fd_ >= 0) {
    write_all(fd_, bytes, name_);
  } else {
    bytes_.append(bytes);
  }
  hash_.add(bytes);
  size_ += bytes.size();
}

std::shared_ptr<const Blob> BlobWriter::finish() {
  std::string identity = "sha256:" + hash_.hex();
  if (fd_ < 0) {
    bytes_.shrink_to_fit();
    return std::make_shared<const Blob>(std::move(bytes_), name_, std::move(identity));
  }
  return std::make_shared<const Blob>(std::exchange(fd_, -1), name_, std::move(identity), size_);
}

}  // namespace vl3::serve
