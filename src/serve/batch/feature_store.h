// Visual tokens of media seen before: in memory, and on disk where a folder is given. On disk an entry is a
// safetensors file under the hash of its key; it names its whole key, so that no two media can be taken for
// one another, and the digest of its content. The folder may be emptied at any time; files that cannot be
// read, or be written (a full disk), only cost the time they would have saved. Files are written by a thread
// of the store's own and read by the caller's. One calling thread at a time.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/vision_cache.h"

namespace vl3::serve {

struct FeatureStoreOptions {
  int64_t memory_bytes = 512ll << 20;
  std::filesystem::path folder;  ///< "": memory only
  uint64_t disk_bytes = 4ull << 30;
  std::string model;                    ///< what features depend on beside the medium: weights and dtype
  uint64_t queue_bytes = 256ull << 20;  ///< that wait to be written; a single medium may be larger
};

class FeatureStore {
 public:
  using Frames = std::vector<engine::FrameFeatures>;

  /// @throws Error where the folder cannot be made.
  explicit FeatureStore(FeatureStoreOptions options);
  /// What waits is written.
  ~FeatureStore();
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  /// What put() was given under the key, or null. From disk it is what the file holds: whether that fits the
  /// medium's plan is the caller's to check, and a put() takes its place.
  std::shared_ptr<const Frames> find(const std::string& key);
  /// Returns before the file is written; where too much waits already, none is.
  void put(const std::string& key, Frames frames);
  /// Waits until nothing waits to be written.
  void flush();

  struct Stats {
    uint64_t queries = 0, hits = 0, disk_hits = 0;
    uint64_t disk_failures = 0;  ///< files that could not be read or written
    uint64_t disk_dropped = 0;   ///< not written because too much waited
    uint64_t memory_bytes = 0, disk_bytes = 0;
  };
  Stats stats() const;

 private:
  struct Pending {
    std::string key;
    std::shared_ptr<const Frames> frames;
    uint64_t bytes;
  };
  std::filesystem::path file_of(const std::string& key) const;
  std::shared_ptr<const Frames> read(const std::string& key);
  std::shared_ptr<const Frames> find_pending(const std::string& key) const;
  void enqueue(const std::string& key, Frames frames);
  void write_pending();
  void write(const std::string& key, const Frames& frames);
  bool is_left_over(const std::filesystem::directory_entry& file) const;
  void make_room(uint64_t wanted);

  const FeatureStoreOptions options_;
  engine::VisionCache memory_;
  const std::filesystem::file_time_type started_;

  // Shared with the writer, behind mutex_.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Pending> pending_;  // the first one is being written
  uint64_t pending_bytes_ = 0;
  bool stopping_ = false;
  Stats stats_;

  std::thread writer_;
};

}  // namespace vl3::serve
