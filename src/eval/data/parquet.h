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
  /// @throws Error(kNotFound); Error(kCorrupt) for what is no Parquet file.
  explicit ParquetFile(std::filesystem::path path);
  ~ParquetFile();
  ParquetFile(const ParquetFile&) = delete;
  ParquetFile& operator=(const ParquetFile&) = delete;

  /// Every row as an object in column order: texts, numbers, truth values, null, lists and objects. Of a
  /// picture column ({bytes, path}) only the path is read: {"path": …}, or null without a picture.
  /// @throws Error(kCorrupt), Error(kUnsupported) for other types, Error(kResourceExhausted) past 2 GiB.
  std::vector<Json> rows() const;

  /// The encoded picture of one row. The row group it is in stays in memory until another one is asked for.
  /// @throws Error(kNotFound) where the row has none; Error(kCorrupt), Error(kResourceExhausted).
  std::string picture(int64_t row, const std::string& column) const;

  const std::filesystem::path& path() const { return path_; }

 private:
  struct Reader;
  std::filesystem::path path_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace vl3::eval
