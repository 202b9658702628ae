// What was wrong with a medium, though it could be used; for reports. Filled while the medium is read.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

namespace vl3::media {

/// One line each, none twice. Thread-safe.
class Warnings {
 public:
  void add(const std::string& warning) {
    const std::lock_guard lock(mutex_);
    if (warning.empty() || std::find(list_.begin(), list_.end(), warning) != list_.end()) return;
    list_.push_back(warning);
  }
  std::vector<std::string> list() const {
    const std::lock_guard lock(mutex_);
    return list_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> list_;
};

}  // namespace vl3::media
