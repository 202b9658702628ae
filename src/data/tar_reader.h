// WebDataset samples in an uncompressed tar: members that share the name up to its first dot and stand
// together. A tar is looked through once, header by header, to know where samples begin; a sample is read on
// its own. Links and folders are passed over, nothing is ever written to disk, and names serve as keys only.
// Of all readers' tars the ones used last are kept open, a few: a list may have more than a process may open.
// Safe from several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace vl3::data {

struct TarMember {
  std::string name;       ///< as in the tar, "images/000123.seg.png"
  std::string extension;  ///< what follows the first dot of its last part, "seg.png"
  std::string bytes;
  uint64_t size = 0;  ///< of the whole member, where only a part of it was read
};

class TarReader {
 public:
  /// The largest sample taken, in bytes.
  static constexpr uint64_t kMaxSampleBytes = 1u << 30;

  /// @throws Error(kNotFound); Error(kResourceExhausted) where too many files are open; Error(kCorrupt) for a
  /// file that is no tar from its first header on, compressed and empty ones included.
  explicit TarReader(std::filesystem::path path);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// Samples, one more where the tar breaks off or is damaged: read() tells about it.
  int64_t size() const { return static_cast<int64_t>(begins_.size()); }
  /// @param most_bytes  of a member; more is cut off, and not read.
  /// @throws BadSample(kDecode) for a damaged or cut off part, BadSample(kLimit) past kMaxSampleBytes,
  /// BadSample(kSchema) for two members of one name.
  std::vector<TarMember> read(int64_t index, uint64_t most_bytes = kMaxSampleBytes) const;
  /// The same with a bound for each member, of which name, extension and size are known by then.
  using Bound = std::function<uint64_t(const TarMember&)>;
  std::vector<TarMember> read(int64_t index, const Bound& most_bytes) const;
  /// Where the tar is damaged and what share of its bytes is lost by that; "" for one that is whole, or that
  /// breaks off within its last sample.
  const std::string& damage() const { return damage_; }
  const std::filesystem::path& path() const { return path_; }
  uint64_t bytes() const { return bytes_; }
  /// SHA-256 in hex of the members' names, sizes and times: their contents are not read for it.
  const std::string& digest() const { return digest_; }

 private:
  std::filesystem::path path_;
  uint64_t id_;  ///< among the files that are open
  uint64_t bytes_ = 0;
  std::vector<uint64_t> begins_;
  std::string digest_;
  std::string damage_;  ///< what the last sample is about; "" for a whole tar
};

}  // namespace vl3::data
