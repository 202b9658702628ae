#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "cli/run_vl3.h"
#include "hub/fake_hub.h"
#include "support/temp_dir.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

// One Ctrl-C was noticed only when bytes came, or after half a minute of silence.
TEST(CliPull, CtrlCEndsADownloadWhoseServerFellSilent) {
  FakeHub hub;
  fill(hub);
  hub.cuts = {200000};
  hub.stalls = true;
  hub.start();
  const TempDir cache;
  const std::vector<std::string> pull = {"pull",         "org/name",    "--endpoint",
                                         hub.endpoint(), "--cache-dir", cache.path().string()};
  const auto much_has_come = [&] {
    std::error_code gone;  // files come and go meanwhile
    for (fs::recursive_directory_iterator it(cache.path(), gone), end; !gone && it != end; it.increment(gone))
      if (std::error_code no_file; it->file_size(no_file) >= 100000 && !no_file) return true;
    return false;
  };
  const RunResult stopped = run_vl3(pull, {.timeout_s = 20, .interrupt_when = much_has_come});
  hub.stalls = false;
  EXPECT_FALSE(stopped.timed_out);
  EXPECT_TRUE(stopped.signal == SIGINT || stopped.status == 130) << stopped.status;
  // What had come is kept, and the next pull goes on from there.
  const RunResult whole = run_vl3(pull);
  EXPECT_EQ(whole.status, 0) << whole.err;
  ASSERT_EQ(hub.storage_ranges.size(), 2u);
  EXPECT_GE(std::stoll(hub.storage_ranges[1].substr(6)), 100000);  // "bytes=N-"
}

}  // namespace
}  // namespace vl3::test
