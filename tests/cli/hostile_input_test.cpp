// Broken and hostile files and flags, one row each: one error line, the right exit status, nothing left behind.
#include <gtest/gtest.h>

#include <set>

#include "cli/hostile_world.h"
#include "cli/run_vl3.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    // Folders may be made (a cache); what is in them may not stay half-written.
    if (!entry.is_directory()) names.insert(entry.path().string());
  }
  return names;
}

class HostileInput : public testing::TestWithParam<HostileRow> {};

TEST_P(HostileInput, GivesOneErrorLine) {
  const HostileRow& row = GetParam();
  HostileWorld world;
  HostileWorld::Words words;
  try {
    words = row.make(world);
  } catch (const Skipped& skipped) {
    GTEST_SKIP() << skipped.why;
  }
  const std::set<std::string> before = files_below(world.dir.path());
  const RunResult run = run_vl3(words, {.stdin_bytes = world.stdin_bytes, .environment = world.environment});
  SCOPED_TRACE(command_text(words) + "\nstdout: " + run.out.substr(0, 500) + "\nstderr: " + run.err.substr(0, 2000));

  EXPECT_FALSE(run.timed_out) << "hangs";
  EXPECT_EQ(run.signal, 0);
  EXPECT_EQ(run.status, row.status);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(files_below(world.dir.path()), before) << "files left behind, or gone";

  std::vector<std::string> lines = lines_of(run.err);
  // What the command line's own parser refuses is followed by a pointer to the help.
  if (row.status == 2 && lines.size() == 2 && lines.back().starts_with("Run `vl3 --help`")) lines.pop_back();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines.front().starts_with("vl3: ")) << lines.front();
  EXPECT_NE(lines.front().find(row.error), std::string::npos) << "wanted: " << row.error;
  EXPECT_EQ(lines.front().find("internal"), std::string::npos) << "a defect of vl3, not of the input";
  EXPECT_EQ(lines.front().find_first_of("\x01\x02\x03\x04\x05\x06\x07\x08\t\r\x1b\x7f"), std::string::npos);
}

std::string row_name(const testing::TestParamInfo<HostileRow>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Flags, HostileInput, testing::ValuesIn(hostile_flags()), row_name);
INSTANTIATE_TEST_SUITE_P(Media, HostileInput, testing::ValuesIn(hostile_media()), row_name);
INSTANTIATE_TEST_SUITE_P(Checkpoints, HostileInput, testing::ValuesIn(hostile_checkpoints()), row_name);
INSTANTIATE_TEST_SUITE_P(Commands, HostileInput, testing::ValuesIn(hostile_commands()), row_name);

}  // namespace
}  // namespace vl3::test
