// The bytes of a medium from a request, as an open file without a name: in memory while small, on disk
// beyond, gone with its last owner. What crosses to the decoding worker is its descriptor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/digest.h"

namespace vl3::serve {

class Blob {
 public:
  /// Takes the descriptor over.
  Blob(int fd, std::string name, std::string identity, uint64_t size);
  ~Blob();
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;

  int fd() const { return fd_; }
  const std::string& name() const { return name_; }  ///< for people
  const std::string& identity() const {
    return identity_;
  }  ///< equal for equal content: its SHA-256, or a file's
     ///< device, inode, size and times
  uint64_t size() const { return size_; }

 private:
  int fd_;
  std::string name_, identity_;
  uint64_t size_;
};

/// Writes a Blob piece by piece.
class BlobWriter {
 public:
  /// @param max_bytes  append() throws Error(kResourceExhausted) beyond.
  BlobWriter(std::string name, uint64_t max_bytes);
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  void append(std::string_view bytes);
  std::shared_ptr<const Blob> finish();

 private:
  void spill();
  void write(int fd, std::string_view bytes) const;

  std::string name_;
  uint64_t max_bytes_, size_ = 0;
  int fd_ = -1;
  bool on_disk_ = false;
  Digest hash_;
};

}  // namespace vl3::serve
