// Parquet files of Hugging Face datasets: rows as JSON, pictures one at a time. Read by Arrow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"

namespace vl3::eval {

/// Safe from several threads.
class ParquetFile {
 public:
  /// Of text and values that rows() gives: some millions of values, and no more however well they compress.
  static constexpr uint64_t kMaxRowBytes = 512ull << 20;

  /// @throws Error(kNotFound); Error(kCorrupt) for what is no Parquet file.
  explicit ParquetFile(std::filesystem::path path);
  ~ParquetFile();
  ParquetFile(const ParquetFile&) = delete;
  ParquetFile& operator=(const ParquetFile&) = delete;

  /// Every row as an object in column order: texts, numbers, truth values, null, lists and objects. Of a
  /// picture column ({bytes, path}) only the path is read: {"path": …}, or null without a picture. A value of
  /// another type (a date, bytes that are no text) is {"unsupported": its type}, which no typed access takes.
  /// @throws Error(kCorrupt), Error(kResourceExhausted) past max_bytes or where reading needs over 2 GiB.
  std::vector<Json> rows(uint64_t max_bytes = kMaxRowBytes) const;

  /// The encoded picture of one row. The picture columns of its row group stay in memory once read (with over
  /// 256 MiB there, the next column takes the place of all), until another row group is asked for.
  /// @throws Error(kNotFound) where the row has none; Error(kCorrupt), Error(kResourceExhausted).
  std::string picture(int64_t row, const std::string& column) const;

  const std::filesystem::path& path() const { return path_; }

 private:
  struct Reader;
  std::filesystem::path path_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace vl3::eval
