// Writing one .safetensors file piece by piece with bounded memory. The file appears at its place whole, on
// commit().
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "weights/dtype.h"

namespace vl3::weights {

struct TensorInfo {
  std::string name = {};
  DType dtype = DType::kF32;
  std::vector<int64_t> shape = {};

  /// @throws Error(kInvalidArgument) for a negative dimension or a product beyond 64 bits.
  uint64_t size_bytes() const;
};

using Metadata = std::map<std::string, std::string>;

class SafetensorsWriter {
 public:
  /// Writes the header, padded with spaces so that the data begins at a multiple of 8 bytes.
  /// @param tensors  in the order their data will come. Wide dtypes go first: each tensor must begin at a
  /// multiple of its element size. @throws Error(kInvalidArgument) where it does not, or for a name given
  /// twice.
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<TensorInfo>& tensors,
                    const Metadata& metadata = {{"format", "pt"}});

  /// The next bytes of the data, in pieces of any size.
  void append(std::span<const std::byte> bytes);

  /// @throws Error(kInternal) when the bytes appended are not those announced; nothing is left on disk then.
  void commit();

 private:
  AtomicFile file_;
  std::string path_;
  uint64_t expected_ = 0;
  uint64_t written_ = 0;
};

}  // namespace vl3::weights
