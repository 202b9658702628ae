#include <gtest/gtest.h>

#include <csignal>

#include "cli/run_vl3.h"
#include "hub/fake_hub.h"
#include "support/temp_dir.h"

namespace vl3::test {
namespace {

// One Ctrl-C was noticed only when bytes came, or after half a minute of silence.
TEST(CliPull, CtrlCEndsADownloadWhoseServerFellSilent) {
  FakeHub hub;
  fill(hub);
  hub.cuts = {1000};
  hub.stalls = true;
  hub.start();
  const TempDir cache;
  const std::vector<std::string> pull = {"pull",         "org/name",    "--endpoint",
                                         hub.endpoint(), "--cache-dir", cache.path().string()};
  const RunResult stopped =
      run_vl3(pull, {.timeout_s = 20, .interrupt_when = [&] { return hub.bytes_sent >= 1000; }});
  hub.stalls = false;
  EXPECT_FALSE(stopped.timed_out);
  EXPECT_TRUE(stopped.signal == SIGINT || stopped.status == 130) << stopped.status;
  // What had come is kept, and the next pull goes on from there.
  const RunResult whole = run_vl3(pull);
  EXPECT_EQ(whole.status, 0) << whole.err;
  ASSERT_EQ(hub.storage_ranges.size(), 2u);
  EXPECT_EQ(hub.storage_ranges[1], "bytes=1000-");
}

}  // namespace
}  // namespace vl3::test
