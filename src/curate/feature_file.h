// Vectors of a shard on disk, bf16, a row an item: read row by row or in blocks. Layout: "VL3F", uint32 size,
// then rows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/random_access_file.h"

namespace vl3::curate {

/// Appends the vector in bf16, rounded to the nearest.
void append_features(const std::vector<float>& features, std::string* out);
/// Of a whole file: `rows` come after it.
std::string feature_header(int64_t size);

class FeatureFile {
 public:
  /// @throws Error(kNotFound), Error(kCorrupt).
  explicit FeatureFile(const std::filesystem::path& path);
  int64_t size() const { return size_; }
  int64_t rows() const { return rows_; }
  /// @param out  size() floats. @throws Error(kCorrupt).
  void read(int64_t row, float* out) const;

 private:
  data::RandomAccessFile file_;
  int64_t size_ = 0, rows_ = 0;
};

}  // namespace vl3::curate
