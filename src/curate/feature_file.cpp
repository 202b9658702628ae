#include "curate/feature_file.h"

#include <bit>
#include <cstring>

#include "core/check.h"

namespace vl3::curate {

constexpr size_t kHeader = 8;

std::string feature_header(int64_t size) {
  const auto count = static_cast<uint32_t>(size);
  std::string header = "VL3F";
  header.append(reinterpret_cast<const char*>(&count), sizeof count);
  return header;
}

void append_features(const std::vector<float>& features, std::string* out) {
  for (const float value : features) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const auto rounded = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    out->append(reinterpret_cast<const char*>(&rounded), sizeof rounded);
  }
}

FeatureFile::FeatureFile(const std::filesystem::path& path) : file_(path) {
  VL3_CHECK(file_.size() >= kHeader, kCorrupt, "{}: too short for features", path.string());
  const std::string header = file_.read(0, kHeader);
  uint32_t count = 0;
  std::memcpy(&count, header.data() + 4, sizeof count);
  VL3_CHECK(header.starts_with("VL3F") && count > 0 && (file_.size() - kHeader) % (count * 2ull) == 0,
            kCorrupt, "{}: no features of vl3 curate", path.string());
  size_ = count;
  rows_ = static_cast<int64_t>((file_.size() - kHeader) / (count * 2ull));
}

void FeatureFile::read(int64_t row, float* out) const {
  VL3_CHECK(row >= 0 && row < rows_, kCorrupt, "{}: row {} of {}", file_.path().string(), row, rows_);
  const auto bytes = static_cast<size_t>(size_) * 2;
  const std::string data = file_.read(kHeader + static_cast<uint64_t>(row) * bytes, bytes);
  for (size_t i = 0; i < static_cast<size_t>(size_); ++i) {
    uint16_t half = 0;
    std::memcpy(&half, data.data() + 2 * i, sizeof half);
    out[i] = std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
  }
}

}  // namespace vl3::curate
