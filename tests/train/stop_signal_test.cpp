#include "train/stop_signal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace vl3::train {
namespace {

TEST(StopSignal, TheFirstOneSetsAFlagOnly) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const StopSignal guard;
    EXPECT_EQ(StopSignal::requested(), 0);
    std::raise(signal);
    EXPECT_EQ(StopSignal::requested(), signal);
  }
}

TEST(StopSignal, AClosedTerminalMaySendSeveral) {
  const StopSignal guard;
  std::raise(SIGHUP);
  std::raise(SIGHUP);
  EXPECT_EQ(StopSignal::requested(), SIGHUP);
}

TEST(StopSignal, UnderNohupATerminalMayClose) {
  std::signal(SIGHUP, SIG_IGN);
  {
    const StopSignal guard;
    std::raise(SIGHUP);
    EXPECT_EQ(StopSignal::requested(), 0);
  }
  EXPECT_EQ(std::signal(SIGHUP, SIG_DFL), SIG_IGN);
}

TEST(StopSignal, CanBeAskedForWithoutASignal) {
  const StopSignal guard;
  StopSignal::ask();
  EXPECT_EQ(StopSignal::requested(), SIGTERM);
}

TEST(StopSignal, ASecondOneEndsTheProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    const StopSignal guard;
    std::raise(SIGINT);
    std::raise(SIGTERM);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(StopSignal, AfterwardsWhatWasBeforeHolds) {
  std::signal(SIGTERM, SIG_IGN);
  { const StopSignal guard; }
  std::raise(SIGTERM);  // ignored, as before
  EXPECT_EQ(std::signal(SIGTERM, SIG_DFL), SIG_IGN);
}

}  // namespace
}  // namespace vl3::train
