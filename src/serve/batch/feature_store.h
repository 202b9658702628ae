// Visual tokens of media seen before: in memory, and on disk where a folder is given. On disk an entry is a
// safetensors file under the hash of its key; it names its whole key, so that no two media can be taken for
// one another. The folder may be emptied at any time; files that cannot be read, or be written (a full disk),
// only cost the time they would have saved. One thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/vision_cache.h"

namespace vl3::serve {

struct FeatureStoreOptions {
  int64_t memory_bytes = 512ll << 20;
  std::filesystem::path folder;  ///< "": memory only
  uint64_t disk_bytes = 4ull << 30;
  std::string model;  ///< what features depend on beside the medium: weights and dtype
};

class FeatureStore {
 public:
  using Frames = std::vector<engine::FrameFeatures>;

  /// @throws Error where the folder cannot be made.
  explicit FeatureStore(FeatureStoreOptions options);

  std::shared_ptr<const Frames> find(const std::string& key);
  void put(const std::string& key, Frames frames);

  struct Stats {
    uint64_t queries = 0, hits = 0, disk_hits = 0, disk_failures = 0;
    uint64_t memory_bytes = 0, disk_bytes = 0;
  };
  Stats stats() const;

 private:
  std::filesystem::path file_of(const std::string& key) const;
  std::shared_ptr<const Frames> read(const std::string& key);
  void write(const std::string& key, const Frames& frames);
  void make_room(uint64_t bytes);

  FeatureStoreOptions options_;
  engine::VisionCache memory_;
  Stats stats_;
};

}  // namespace vl3::serve
