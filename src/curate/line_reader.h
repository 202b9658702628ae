// Lines of a file, one after the other, each of bounded length. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/random_access_file.h"

namespace vl3::curate {

class LineReader {
 public:
  static constexpr uint64_t kMaxLine = 16u << 20;  ///< bytes; what is longer is given without text

  explicit LineReader(const data::RandomAccessFile& file, uint64_t offset = 0, int64_t line = 1)
      : file_(file), read_(offset), line_(line) {}

  struct Line {
    uint64_t begin = 0;   ///< offset of its first byte
    int64_t number = 0;   ///< from 1
    uint64_t length = 0;  ///< without the line feed
    std::string text;     ///< empty where it is too long, or not wanted
  };
  /// The next line that is not blank. @param with_text  false: only where it is.
  bool next(Line* line, bool with_text = true);

 private:
  bool fill();

  const data::RandomAccessFile& file_;
  std::vector<char> buffer_;
  size_t at_ = 0;
  uint64_t read_;
  int64_t line_;
};

}  // namespace vl3::curate
