// A point in time that a whole operation must not pass, however many reads and redirects it takes.
#pragma once

#include <algorithm>
#include <chrono>

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

  Clock::time_point when() const { return when_; }
  bool passed() const { return Clock::now() >= when_; }
  Deadline earlier(const Deadline& other) const { return Deadline(std::min(when_, other.when_)); }

  /// For poll(2): milliseconds left, rounded up, 0 when passed; at most a day.
  int poll_ms() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 86'400'000));
  }

 private:
  explicit Deadline(Clock::time_point when) : when_(when) {}
  Clock::time_point when_;
};

}  // namespace vl3::net
