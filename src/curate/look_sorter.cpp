#include "curate/look_sorter.h"

#include <algorithm>
#include <queue>

#include "core/check.h"

namespace vl3::curate {
namespace {

constexpr size_t kChunk = 256;  // looks of each run in memory while they are merged

// A run's looks in their order.
struct Run {
  int64_t at, end;
  std::vector<Look> chunk;
  size_t next = 0;

  const Look* peek(const LookFile& file) {
    if (next == chunk.size()) {
      chunk.resize(std::min<size_t>(kChunk, static_cast<size_t>(end - at)));
      next = 0;
      if (chunk.empty()) return nullptr;
      at += static_cast<int64_t>(file.read(at, chunk.data(), chunk.size()));
    }
    return &chunk[next];
  }
};

}  // namespace

LookFile::LookFile(const std::filesystem::path& path) : path_(path), file_(std::fopen(path.c_str(), "w+b")) {
  VL3_CHECK(file_ != nullptr, kResourceExhausted, "{}: cannot be written", path.string());
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

void LookFile::append(const Look* looks, size_t count) {
  VL3_CHECK(std::fseek(file_.get(), 0, SEEK_END) == 0 &&
                std::fwrite(looks, sizeof(Look), count, file_.get()) == count &&
                std::fflush(file_.get()) == 0,
            kResourceExhausted, "{}: disk full", path_.string());
  size_ += static_cast<int64_t>(count);
}

size_t LookFile::read(int64_t begin, Look* looks, size_t count) const {
  const auto wanted = static_cast<size_t>(std::clamp<int64_t>(size_ - begin, 0, static_cast<int64_t>(count)));
  VL3_CHECK(
      fseeko(file_.get(), static_cast<off_t>(begin * static_cast<int64_t>(sizeof(Look))), SEEK_SET) == 0 &&
          std::fread(static_cast<void*>(looks), sizeof(Look), wanted, file_.get()) == wanted,
      kCorrupt, "{}: cannot be read", path_.string());
  return wanted;
}

LookSorter::LookSorter(const std::filesystem::path& path, size_t run) : file_(path), run_(run) {}

void LookSorter::add(const Look& look) {
  if (buffer_.capacity() < run_) buffer_.reserve(run_);  // growing would take half as much again
  buffer_.push_back(look);
  if (buffer_.size() == run_) flush();
}

void LookSorter::flush() {
  if (buffer_.empty()) return;
  std::sort(buffer_.begin(), buffer_.end(),
            [](const Look& a, const Look& b) { return better(a.rank, b.rank); });
  begins_.push_back(file_.size());
  file_.append(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void LookSorter::each(const std::function<void(const Look&)>& take) {
  flush();
  std::vector<Look>().swap(buffer_);  // "= {}" would keep the memory, which is the block's now
  std::vector<Run> runs;
  for (size_t r = 0; r < begins_.size(); ++r)
    runs.push_back({begins_[r], r + 1 < begins_.size() ? begins_[r + 1] : file_.size(), {}, 0});
  const auto worse = [&](size_t a, size_t b) {
    return better(runs[b].chunk[runs[b].next].rank, runs[a].chunk[runs[a].next].rank);
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(worse)> heads(worse);
  for (size_t r = 0; r < runs.size(); ++r) {
    if (runs[r].peek(file_) != nullptr) heads.push(r);
  }
  while (!heads.empty()) {
    const size_t r = heads.top();
    heads.pop();
    take(runs[r].chunk[runs[r].next++]);
    if (runs[r].peek(file_) != nullptr) heads.push(r);
  }
}

}  // namespace vl3::curate
