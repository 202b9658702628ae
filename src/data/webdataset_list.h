// Samples in WebDataset tars as a list: known by number, read one by one.
//
// A sample is what a `json` member says, an official annotation or a messages record whose media are named by
// member ("000123.jpg", the whole path, or just "jpg"); or a caption (`txt` or `caption`) with its images or
// its video. Order: a pass takes the shards in a random order and shuffles records within windows of
// shuffle_window, so that neighbours in the order lie near each other on disk.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "data/record_list.h"
#include "data/tar_reader.h"

namespace vl3::data {

class WebDatasetList final : public RecordList {
 public:
  /// @throws as TarReader; Error(kInvalidArgument) for a list without samples.
  WebDatasetList(const std::vector<std::filesystem::path>& shards, int64_t list, int64_t shuffle_window);

  int64_t size() const override { return size_; }
  Record record(int64_t index) const override;
  int64_t order(uint64_t seed, int64_t pass, int64_t k) const override;
  std::string fingerprint() const override { return fingerprint_; }

 private:
  /// Where each shard of a pass begins in the pass, and in the list.
  struct Layout {
    uint64_t seed = 0;
    int64_t pass = -1;
    std::vector<int64_t> pass_begins, list_begins;
  };

  std::vector<std::shared_ptr<const TarReader>> shards_;
  std::vector<int64_t> ends_;  // of each shard, in records
  int64_t size_ = 0;
  int64_t list_;
  int64_t window_;
  std::string fingerprint_;
  mutable std::mutex mutex_;
  mutable Layout layout_;  // of the pass last asked for; guarded by mutex_
};

/// The content of a record from a sample's members.
/// @throws BadSample(kSchema) when they make no sample, BadSample(kNoAssistant) for an empty caption.
RecordContent content_of_members(std::vector<TarMember> members);

}  // namespace vl3::data
