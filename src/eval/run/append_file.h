// A file of JSON lines that survives kill -9: each line is written whole and at once; a torn last line is cut
// off when the file is opened again. One process at a time; not thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"

namespace vl3::eval {

class AppendFile {
 public:
  /// Makes the file where it is missing. @throws Error(kInvalidArgument) while another process has it open;
  /// Error(kNotFound) where it cannot be made.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// The whole lines that were there when it was opened.
  const std::vector<std::string>& lines() const { return lines_; }
  /// @throws Error(kResourceExhausted) for a full disk.
  void append(const OrderedJson& line);

  /// Whether some process has the file open as an AppendFile.
  static bool in_use(const std::filesystem::path& path);

 private:
  std::filesystem::path path_;
  std::vector<std::string> lines_;
  int fd_ = -1;
};

/// The whole lines of a file that may be being written; none where it does not exist.
std::vector<std::string> whole_lines(const std::filesystem::path& path);

}  // namespace vl3::eval
