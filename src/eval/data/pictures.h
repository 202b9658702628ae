// Pictures inside Parquet files as media. Stateless.
#pragma once

#include <memory>

#include "eval/data/item.h"
#include "eval/data/parquet.h"

namespace vl3::eval {

/// The picture of one row and column, read when it is needed.
inline Medium picture_in(std::shared_ptr<const ParquetFile> file, size_t row, const std::string& column) {
  Medium medium;
  medium.path = file->path();
  medium.inside = "row " + std::to_string(row) + ", " + column;
  medium.bytes = [file = std::move(file), row, column] {
    return file->picture(static_cast<int64_t>(row), column);
  };
  return medium;
}

}  // namespace vl3::eval
