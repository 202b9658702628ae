// What the filters between items need of those that passed the filters of one: a file of fixed records in the
// order of the input, streamed again by each of them. One thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>

#include "curate/perceptual_hash.h"
#include "curate/rank.h"
#include "curate/verdict.h"

namespace vl3::curate {

struct Candidate {
  Rank rank;
  int64_t shard = 0;         ///< of its features
  int64_t row = 0;           ///< in the shard
  uint64_t content[2] = {};  ///< of the medium's bytes
  uint64_t caption_key = 0;  ///< 0 without a caption
  uint8_t has_features = 0, has_likeness = 0;
  uint8_t video = 0;
  Likeness likeness;
};

class CandidateFile {
 public:
  explicit CandidateFile(const std::filesystem::path& path);  ///< new and empty
  void add(const Candidate& candidate);
  int64_t size() const { return count_; }

  /// Those that are still kept by `verdicts`.
  void each_kept(const VerdictFile& verdicts, const std::function<void(const Candidate&)>& take) const;

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
  int64_t count_ = 0;
};

}  // namespace vl3::curate
