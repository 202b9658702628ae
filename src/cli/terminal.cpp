#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
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
  show(fmt::format("{} {}/{}", progress.stage, progress.done, progress.total), progress.done >= progress.total);
}

void ProgressLine::show(const std::string& text, bool last) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || (drawn_ && !last && now - last_ < std::chrono::milliseconds(100))) return;
  last_ = now;
  drawn_ = true;
  fmt::print(stderr, "\r\x1b[K{}", text);
  std::fflush(stderr);
}

int ProgressLine::width() const {
  if (!enabled_) return 0;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
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
