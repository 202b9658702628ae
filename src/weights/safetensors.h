// Reading one .safetensors file: a JSON header naming tensors, then their bytes back to back. The file is
// mapped; a tensor's pages are read when first touched. Every claim of the header is checked before it is
// used. Const use of one object from several threads is safe.
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

inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 16ull << 20;
inline constexpr size_t kMaxSafetensorsTensors = 100'000;
inline constexpr size_t kMaxTensorRank = 16;

/// A tensor inside a mapped file, row-major, little-endian; valid while its file object lives.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;  ///< may lie off the element's alignment in files of old writers
  uint64_t size_bytes = 0;

  std::span<const std::byte> bytes() const { return {data, size_bytes}; }
  bool aligned() const {
    return reinterpret_cast<uintptr_t>(data) % static_cast<uint64_t>(dtype_size(dtype)) == 0;
  }
};

/// Tells the kernel that these mapped bytes will not be needed soon (their pages are read again when
/// touched), or will. Advice: a refusal changes nothing but speed.
void advise_dont_need(std::span<const std::byte> mapped);
void advise_will_need(std::span<const std::byte> mapped);

class SafetensorsFile {
 public:
  /// @throws Error(kNotFound); Error(kCorrupt) naming file and tensor for a malformed header (not UTF-8 JSON,
  /// a name given twice, wrong types), for offsets that overlap, leave a hole or pass the end, and for a size
  /// that is not shape times element; Error(kUnsupported) for an unknown dtype.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// @throws Error(kNotFound).
  const TensorView& at(const std::string& name) const;

 private:
  std::filesystem::path path_;
  MappedFile map_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace vl3::weights
