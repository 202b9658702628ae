#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/output.h"
#include "core/printable.h"

namespace vl3::cli {
namespace {

volatile std::sig_atomic_t interrupts = 0;
volatile std::sig_atomic_t ends_at_once = 0;
struct sigaction previous_interrupt, previous_terminate;

void on_interrupt(int signal) {
  interrupts = interrupts + 1;
  if (interrupts == 1 && ends_at_once == 0) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);  // delivered when this handler returns
}

bool plain_terminal(int fd) { return isatty(fd) != 0; }

}  // namespace

ProgressLine::ProgressLine() : enabled_(plain_terminal(STDERR_FILENO)) {}

void ProgressLine::show(const Progress& progress) {
  const bool other = stage_ != progress.stage;  // a new stage is always seen
  stage_ = progress.stage;
  show(fmt::format("{} {}/{}", printable(progress.stage), progress.done, progress.total),
       other || progress.done >= progress.total);
}

void ProgressLine::show(const std::string& text, bool last) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || (drawn_ && !last && now - last_ < std::chrono::milliseconds(100))) return;
  last_ = now;
  drawn_ = true;
  print_err("\r\x1b[K{}", text);
}

int ProgressLine::width() const {
  if (!enabled_) return 0;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void ProgressLine::clear() {
  if (!drawn_) return;
  drawn_ = false;
  print_err("\r\x1b[K");
}

InterruptGuard::InterruptGuard(Mode mode) {
  interrupts = 0;
  ends_at_once = mode == kEndsUntilPolled ? 1 : 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = mode == kPrompt ? 0 : SA_RESTART;  // reading a line at the prompt has to return
  ::sigaction(SIGINT, &action, &previous_interrupt);
  ::sigaction(SIGTERM, mode == kPrompt ? nullptr : &action, &previous_terminate);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &previous_interrupt, nullptr);
  ::sigaction(SIGTERM, &previous_terminate, nullptr);
}

void InterruptGuard::polled() { ends_at_once = 0; }

void InterruptGuard::forget() { interrupts = 0; }

bool InterruptGuard::interrupted() { return interrupts > 0; }

std::string bold(const std::string& text, int fd) {
  if (!plain_terminal(fd) || std::getenv("NO_COLOR") != nullptr) return text;
  return "\x1b[1m" + text + "\x1b[0m";
}

}  // namespace vl3::cli
