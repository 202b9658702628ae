// Files: bounded reads, writes that appear whole or not at all, read-only memory maps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace vl3 {

/// @throws Error(kNotFound) when missing or not a regular file, Error(kResourceExhausted) past max_bytes.
std::string read_file(const std::filesystem::path& path, uint64_t max_bytes);

/// Writes beside `path` under a temporary name, fsyncs, renames. On failure nothing is left at `path` that
/// was not there before. Through a symbolic link, the file it leads to is written and the link stays; a
/// character device or a FIFO (/dev/stdout, /dev/null) is written straight to. @throws
/// Error(kResourceExhausted) for a full disk, Error(kInvalidArgument) otherwise: folders, block devices,
/// sockets.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The same for content written in pieces: append() …, then commit(). Destroyed without commit: removed.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void append(const void* data, size_t size);
  void commit();

 private:
  void fail(const char* what);
  bool streamed() const { return temporary_.empty(); }  // to a device or pipe: nothing to rename

  std::filesystem::path path_;
  std::filesystem::path target_;  // path_ behind its links
  std::filesystem::path temporary_;
  int fd_ = -1;
};

/// What became of append_whole().
struct Appended {
  int error = 0;      ///< errno; ENOSPC where only a part went in; 0: it is all there
  bool torn = false;  ///< that part could not be taken back
};
/// Appends to a file opened with O_APPEND by one write, all of it or nothing.
Appended append_whole(int fd, std::string_view bytes);

/// A read-only map of a whole file; movable. Pages are read when touched.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  const std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  const std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace vl3
