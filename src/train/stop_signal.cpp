#include "train/stop_signal.h"

#include <array>
#include <csignal>
#include <cstddef>

namespace vl3::train {
namespace {

volatile std::sig_atomic_t asked = 0;
constexpr std::array<int, 3> kSignals = {SIGTERM, SIGINT, SIGHUP};
std::array<struct sigaction, 3> before;

void on_signal(int signal) {
  // A terminal that closes may send several.
  if (asked != 0 &&
      signal != SIGHUP) {  // the default action, by which the parent sees what ended the process
    std::signal(signal, SIG_DFL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    sigprocmask(SIG_UNBLOCK, &one, nullptr);
    std::raise(signal);
  }
  asked = signal;
}

}  // namespace

StopSignal::StopSignal() {
  asked = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // reads and writes of the loop go on
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &before[i]);
    if (kSignals[i] != SIGHUP || before[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignal::~StopSignal() {
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
}

int StopSignal::requested() { return asked; }
void StopSignal::ask() { asked = SIGTERM; }

}  // namespace vl3::train
