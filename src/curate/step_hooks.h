// What a step tells its caller while it runs, and how it is asked to stop. Plain data; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/check.h"

namespace vl3::curate {

struct StepHooks {  // each may be empty
  std::function<void(const std::string& line)> note;
  std::function<void(const char* step, int64_t done, int64_t total)> progress;
  std::function<bool()> cancelled;

  void say(const std::string& line) const {
    if (note) note(line);
  }
  void show(const char* step, int64_t done, int64_t total) const {
    if (progress) progress(step, done, total);
  }
  /// @throws Error(kCancelled) "stopped while WHAT; …".
  void stop_if_asked(const char* what) const {
    VL3_CHECK(!cancelled || !cancelled(), kCancelled, "stopped while {}; the same command goes on from there",
              what);
  }
};

}  // namespace vl3::curate
