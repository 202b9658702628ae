// A point in time that a whole operation must not pass, however many reads and redirects it takes; or its
// caller's wish to stop.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>

namespace vl3::net {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param seconds  from now; more than ten years are taken as ten years, less than zero as zero.
  static Deadline in(double seconds) {
    constexpr double kTenYears = 3.2e8;
    const std::chrono::duration<double> span(seconds >= 0 ? std::min(seconds, kTenYears) : 0.0);
    return Deadline(Clock::now() + std::chrono::duration_cast<Clock::duration>(span));
  }

  /// The same, ended when `cancelled`, which must outlive it, says so. Empty: never.
  Deadline unless(const std::function<bool()>& cancelled) const {
    Deadline result(*this);
    result.cancelled_ = cancelled ? &cancelled : nullptr;
    return result;
  }

  bool cancelled() const { return cancelled_ != nullptr && (*cancelled_)(); }
  bool passed() const { return Clock::now() >= when_; }
  /// This one's caller may cancel.
  Deadline earlier(const Deadline& other) const {
    Deadline result(*this);
    result.when_ = std::min(when_, other.when_);
    return result;
  }

  /// For poll(2): milliseconds left, rounded up, 0 when passed; at most a day, or until cancelled() is asked
  /// again.
  int poll_ms() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, cancelled_ == nullptr ? 86'400'000 : 100));
  }

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}
  Clock::time_point when_;
  const std::function<bool()>* cancelled_ = nullptr;
};

}  // namespace vl3::net
