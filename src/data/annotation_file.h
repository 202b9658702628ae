// Where each annotation of a .jsonl or .json file begins and ends: found in one pass, 8 bytes a record kept.
// The text is read when it is asked for. Immutable after construction, safe from several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/random_access_file.h"

namespace vl3::data {

class AnnotationFile {
 public:
  /// The longest annotation taken, in bytes.
  static constexpr uint64_t kMaxBytes = 64u << 20;

  /// .jsonl: every line that is not blank. .json: every element of the list, whatever it is. Nothing is
  /// parsed, so a broken line is an error when it becomes a sample, not here.
  /// @throws Error(kNotFound); Error(kCorrupt) for a .json that is no list; Error(kUnsupported) for another
  /// extension.
  explicit AnnotationFile(std::filesystem::path path);

  int64_t size() const { return static_cast<int64_t>(begins_.size()); }
  /// @throws BadSample(kLimit) past kMaxBytes, Error(kCorrupt) when the file has changed.
  std::string text(int64_t index) const;
  /// The line it begins on, from 1.
  int64_t line(int64_t index) const;
  const std::filesystem::path& path() const { return file_.path(); }
  uint64_t bytes() const { return file_.size(); }
  /// SHA-256 of the whole file in hex, as it was when it was opened.
  const std::string& digest() const { return digest_; }

 private:
  void index_lines();
  void index_list();
  void add(uint64_t begin, int64_t line);

  RandomAccessFile file_;
  std::vector<uint64_t> begins_;
  uint64_t end_ = 0;  ///< of the last one
  std::string digest_;
  /// (index, line) wherever lines do not simply count up.
  std::vector<std::pair<int64_t, int64_t>> line_steps_;
};

}  // namespace vl3::data
