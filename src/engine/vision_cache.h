// Visual tokens of media seen before, so that a second question about them needs no decoding and no encoding.
// Bounded in bytes, least recently used first out. Owned by one session; not thread-safe.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "engine/visual_stream.h"

namespace vl3::engine {

class VisionCache {
 public:
  explicit VisionCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  int64_t max_bytes() const { return max_bytes_; }
  int64_t bytes() const { return bytes_; }
  /// All frames of a medium, or null.
  std::shared_ptr<const std::vector<FrameFeatures>> find(const std::string& key);
  /// Keeps the frames unless they alone are over the limit.
  void put(const std::string& key, std::vector<FrameFeatures> frames);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const std::vector<FrameFeatures>> frames;
    int64_t bytes;
  };
  int64_t max_bytes_;
  int64_t bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
};

}  // namespace vl3::engine
