// Runs the vl3 program as a user does: arguments, stdin and environment in; exit status and both streams out.
#pragma once

#include <csignal>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace vl3::test {

struct RunOptions {
  std::string stdin_bytes = {};  ///< stdin holds these, then ends
  /// On top of the inherited one, which is rid of VL3_* and HF_*.
  std::map<std::string, std::string> environment = {};
  /// Wall-clock seconds after which the run counts as hanging and is killed.
  /// $VL3_CLI_TIMEOUT_S replaces it, for machines that are slow or crowded.
  double timeout_s = 30;
  /// Stdout is this file instead ("/dev/full"), or closed for "closed", or a pipe nobody reads for "pipe".
  std::string stdout_to = {};
  /// Stdin is a pipe that stays open and empty.
  bool stdin_waits = false;
  /// `signal` is sent once, as soon as this says so.
  std::function<bool()> interrupt_when = nullptr;
  int signal = SIGINT;
};

struct RunResult {
  int status = -1;  ///< exit status; -1 when a signal ended it
  int signal = 0;   ///< that signal; SIGKILL after a timeout
  bool timed_out = false;
  std::string out, err;
};

/// @throws Error(kInternal) when the program cannot be started.
RunResult run_vl3(const std::vector<std::string>& arguments, const RunOptions& options = {});

/// The lines of a text, without their line feeds.
std::vector<std::string> lines_of(const std::string& text);

/// "vl3 ask 'x y'": what was run, for messages.
std::string command_text(const std::vector<std::string>& arguments);

}  // namespace vl3::test
