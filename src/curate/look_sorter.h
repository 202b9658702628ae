// Pictures' looks in the order of their rank, of any number: sorted runs on disk, merged. One thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "curate/perceptual_hash.h"
#include "curate/rank.h"

namespace vl3::curate {

struct Look {
  Rank rank;
  Likeness likeness;
};

/// Looks one after the other in a file without a name.
class LookFile {
 public:
  /// @param path  of a file that is made and, once open, removed. @throws Error(kResourceExhausted).
  explicit LookFile(const std::filesystem::path& path);
  void append(const Look* looks, size_t count);
  /// @return how many of `count` there were from `begin` on.
  size_t read(int64_t begin, Look* looks, size_t count) const;
  int64_t size() const { return size_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  int64_t size_ = 0;
};

class LookSorter {
 public:
  /// @param run  looks that are sorted at once: what bounds memory.
  LookSorter(const std::filesystem::path& path, size_t run);
  void add(const Look& look);
  int64_t size() const { return file_.size() + std::ssize(buffer_); }
  /// Calls `take` with each, best rank first. Once, after the last add().
  void each(const std::function<void(const Look&)>& take);

 private:
  void flush();

  LookFile file_;
  size_t run_;
  std::vector<Look> buffer_;
  std::vector<int64_t> begins_;
};

}  // namespace vl3::curate
