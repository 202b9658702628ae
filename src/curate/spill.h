// Records grouped by a key that are too many for memory: written to parts on disk by the key's hash, then
// each part is loaded and sorted. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/check.h"
#include "curate/rank.h"

namespace vl3::curate {

/// @tparam Record  trivially copyable, with `uint64_t key` and `Rank rank`.
template <typename Record>
class Spill {
 public:
  /// @param expected  records, about; with memory_bytes they say how many parts there are.
  Spill(const std::filesystem::path& folder, int64_t expected, int64_t memory_bytes) : folder_(folder) {
    const auto bytes = static_cast<double>(expected) * sizeof(Record);
    const auto parts =
        static_cast<size_t>(std::clamp(bytes / static_cast<double>(memory_bytes) + 1, 1.0, 512.0));
    std::filesystem::create_directories(folder_);
    for (size_t p = 0; p < parts; ++p) {
      files_.emplace_back(std::fopen(path(p).c_str(), "w+b"));
      VL3_CHECK(files_.back() != nullptr, kResourceExhausted, "{}: cannot be written", path(p).string());
    }
  }
  ~Spill() {
    files_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;

  void add(const Record& record) {
    const uint64_t mixed = (record.key ^ record.key >> 29) * 0x9e3779b97f4a7c15ull;
    const size_t part = static_cast<size_t>((mixed >> 32) * files_.size() >> 32);
    VL3_CHECK(std::fwrite(&record, sizeof record, 1, files_[part].get()) == 1, kResourceExhausted,
              "{}: disk full", path(part).string());
  }

  /// Calls `take` with the records of each key, best rank first.
  void groups(const std::function<void(std::span<const Record>)>& take) {
    for (size_t p = 0; p < files_.size(); ++p) {
      std::vector<Record> records = load(p);
      std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
        return a.key != b.key ? a.key < b.key : better(a.rank, b.rank);
      });
      for (size_t begin = 0; begin < records.size();) {
        size_t end = begin + 1;
        while (end < records.size() && records[end].key == records[begin].key) ++end;
        take(std::span<const Record>(records).subspan(begin, end - begin));
        begin = end;
      }
    }
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path(size_t part) const { return folder_ / std::to_string(part); }
  std::vector<Record> load(size_t part) {
    std::FILE* file = files_[part].get();
    VL3_CHECK(std::fflush(file) == 0, kResourceExhausted, "{}: disk full", path(part).string());
    const auto count = static_cast<size_t>(std::filesystem::file_size(path(part)) / sizeof(Record));
    std::vector<Record> records(count);
    std::rewind(file);
    VL3_CHECK(std::fread(static_cast<void*>(records.data()), sizeof(Record), count, file) == count, kCorrupt,
              "{}: cannot be read", path(part).string());
    return records;
  }

  std::filesystem::path folder_;
  std::vector<std::unique_ptr<std::FILE, Close>> files_;
};

}  // namespace vl3::curate
