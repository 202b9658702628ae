#include "engine/vision_cache.h"

#include <algorithm>

namespace vl3::engine {

std::shared_ptr<const std::vector<FrameFeatures>> VisionCache::find(const std::string& key) {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (entry == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, entry);
  return entries_.front().frames;
}

void VisionCache::put(const std::string& key, std::vector<FrameFeatures> frames) {
  if (find(key) != nullptr) return;
  int64_t bytes = 0;
  for (FrameFeatures& frame : frames) {
    // A view into a batch's tensor would keep the whole batch alive.
    frame.features_KD = frame.features_KD.clone();
    bytes += static_cast<int64_t>(frame.features_KD.nbytes() + frame.mask.size());
  }
  if (bytes > max_bytes_) return;
  entries_.push_front({key, std::make_shared<const std::vector<FrameFeatures>>(std::move(frames)), bytes});
  bytes_ += bytes;
  while (bytes_ > max_bytes_) {
    bytes_ -= entries_.back().bytes;
    entries_.pop_back();
  }
}

}  // namespace vl3::engine
