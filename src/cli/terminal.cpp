#include "cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace vl3::cli {
namespace {

volatile std::sig_atomic_t interrupts = 0;

void on_interrupt(int signal) {
  interrupts = interrupts + 1;
  if (interrupts > 1) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

bool plain_terminal(int fd) { return isatty(fd) != 0; }

}  // namespace

ProgressLine::ProgressLine() : enabled_(plain_terminal(STDERR_FILENO)) {}

void ProgressLine::show(const Progress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || (drawn_ && progress.done < progress.total && now - last_ < std::chrono::milliseconds(100)))
    return;
  last_ = now;
  drawn_ = true;
  fmt::print(stderr, "\r\x1b[K{} {}/{}", progress.stage, progress.done, progress.total);
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (!drawn_) return;
  drawn_ = false;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

InterruptGuard::InterruptGuard() {
  interrupts = 0;
  std::signal(SIGINT, on_interrupt);
}

InterruptGuard::~InterruptGuard() { std::signal(SIGINT, SIG_DFL); }

bool InterruptGuard::interrupted() { return interrupts > 0; }

std::string bold(const std::string& text, int fd) {
  if (!plain_terminal(fd) || std::getenv("NO_COLOR") != nullptr) return text;
  return "\x1b[1m" + text + "\x1b[0m";
}

}  // namespace vl3::cli
