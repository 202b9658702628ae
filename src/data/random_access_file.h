// A file read at any offset by any number of threads at once. A file that shrinks meanwhile is an error, not
// a crash, which is why it is not mapped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace vl3::data {

class RandomAccessFile {
 public:
  /// @throws Error(kNotFound) when missing or no regular file.
  explicit RandomAccessFile(std::filesystem::path path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  /// Up to `size` bytes from `offset` on; fewer at the end of the file.
  /// @throws Error(kCorrupt) for a read error.
  size_t read_some(uint64_t offset, char* data, size_t size) const;
  /// Exactly `size` bytes. @throws Error(kCorrupt) when the file has become shorter.
  std::string read(uint64_t offset, size_t size) const;

  uint64_t size() const { return size_; }  ///< when it was opened
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

}  // namespace vl3::data
