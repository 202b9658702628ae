// Destroys what takes time to destroy, a running decoder that is waited for, on a thread of its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace vl3::serve {

template <typename T>
class Disposal {
 public:
  Disposal() = default;
  /// Waits until everything is gone.
  ~Disposal() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Disposal(const Disposal&) = delete;
  Disposal& operator=(const Disposal&) = delete;

  void add(std::unique_ptr<T> dead) {
    {
      const std::lock_guard lock(mutex_);
      dead_.push_back(std::move(dead));
    }
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopping_ || !dead_.empty(); });
      if (dead_.empty()) return;
      auto now = std::exchange(dead_, {});
      lock.unlock();
      now.clear();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<T>> dead_;
  bool stopping_ = false;
  std::thread thread_{[this] { run(); }};
};

}  // namespace vl3::serve
