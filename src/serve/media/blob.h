// The bytes of a medium from a request: in ordinary memory while small, then as an open file without a name
// (in memory, beyond 64 MiB on disk), gone with its last owner. Open files are few and counted, so that
// requests with many media cannot use up the server's descriptors. A Blob is immutable and thread-safe; a
// BlobWriter is for one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/digest.h"

namespace vl3::serve {

/// A file in memory without a name. One thread at a time.
class MemoryFile {
 public:
  /// @param name  for errors. @throws Error(kResourceExhausted) where there is no descriptor left.
  explicit MemoryFile(std::string name);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  /// @throws Error(kResourceExhausted) where there is no memory for it.
  void append(std::string_view bytes) const;
  int fd() const { return fd_; }
  int release();  ///< the descriptor is the caller's from now on

 private:
  std::string name_;
  int fd_;
};

class Blob {
 public:
  /// Takes the descriptor over.
  Blob(int fd, std::string name, std::string identity, uint64_t size);
  Blob(std::string bytes, std::string name, std::string identity);
  ~Blob();
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;

  int fd() const { return fd_; }                     ///< -1 where it lies in ordinary memory
  std::string_view bytes() const { return bytes_; }  ///< empty where it has a descriptor
  const std::string& name() const { return name_; }  ///< for people
  const std::string& identity() const {
    return identity_;
  }  ///< equal for equal content: its SHA-256, or a file's
     ///< device, inode, size and times
  uint64_t size() const { return size_; }

  /// Descriptors that the blobs of this process hold, and how many they may: a quarter of its limit.
  static size_t open_descriptors();
  static size_t max_descriptors();

 private:
  int fd_ = -1;
  std::string bytes_, name_, identity_;
  uint64_t size_;
};

/// Writes a Blob piece by piece.
class BlobWriter {
 public:
  static constexpr uint64_t kSmall = 1ull << 20;      ///< up to here without a descriptor
  static constexpr uint64_t kInMemory = 64ull << 20;  ///< up to here not on disk

  /// @param max_bytes  append() throws Error(kResourceExhausted) beyond.
  /// @param may_open   whether a descriptor may be used; without, append() throws beyond kInMemory, too.
  BlobWriter(std::string name, uint64_t max_bytes, bool may_open = true);
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  void append(std::string_view bytes);
  /// Once; nothing can be appended after.
  std::shared_ptr<const Blob> finish();

 private:
  void move_to_place_for(uint64_t size);
  void spill();

  std::string name_;
  uint64_t max_bytes_, size_ = 0;
  bool may_open_, on_disk_ = false;
  std::string bytes_;
  int fd_ = -1;
  Digest hash_;
};

}  // namespace vl3::serve
