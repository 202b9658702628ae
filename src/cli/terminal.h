// What a person at a terminal sees: progress on stderr, Ctrl-C as "stop this answer". Nothing is drawn into a
// pipe.
#pragma once

#include <chrono>
#include <string>

#include "vl3/engine.h"

namespace vl3::cli {

/// One line on stderr that is overwritten: "encode 12/64", "step 3/100 …". Silent unless stderr is a
/// terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { clear(); }
  void show(const Progress& progress);
  /// @param last  drawn even right after another.
  void show(const std::string& text, bool last);
  /// Columns of the terminal; 0 where nothing is drawn.
  int width() const;
  void clear();

 private:
  bool enabled_;
  bool drawn_ = false;
  std::string stage_;
  std::chrono::steady_clock::time_point last_;
};

/// While it lives, SIGINT (Ctrl-C) and SIGTERM set a flag instead of ending the program; a second one ends
/// it. One at a time.
class InterruptGuard {
 public:
  enum Mode {
    kEndsUntilPolled,  ///< the first signal ends the program as long as nobody looks at the flag (a download)
    kSetsFlag,
    kPrompt,  ///< the same for SIGINT alone
  };
  explicit InterruptGuard(Mode mode);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static bool interrupted();
  /// From now on somebody looks at the flag, again and again.
  static void polled();
  /// The flag was looked at and taken care of: the next signal counts as the first.
  static void forget();
};

/// Bold text for headings, unless NO_COLOR is set or the stream is no terminal. @param fd  1 or 2.
std::string bold(const std::string& text, int fd);

}  // namespace vl3::cli
