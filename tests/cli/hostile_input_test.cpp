// Broken and hostile files and flags, one row each: one error line, the right exit status, nothing left
// behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "cli/hostile_world.h"
#include "cli/run_vl3.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

std::set<std::string> files_below(const fs::path& folder) {
  std::set<std::string> names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    // Folders may be made (a cache); what is in them may not stay half-written.
    if (!fs::is_directory(entry.symlink_status())) names.insert(entry.path().string());
  }
  return names;
}

// What running one row gave.
struct Outcome {
  std::string skipped;  ///< why it was not run
  std::string failed;   ///< why it could not be run
  HostileWorld::Words words;
  RunResult run;
  std::set<std::string> files_before, files_after;
};

Outcome outcome_of(const HostileRow& row) {
  Outcome outcome;
  HostileWorld world;
  try {
    outcome.words = row.make(world);
  } catch (const Skipped& skipped) {
    outcome.skipped = skipped.why;
    return outcome;
  }
  outcome.files_before = files_below(world.dir.path());
  outcome.run = run_vl3(outcome.words, {.stdin_bytes = world.stdin_bytes, .environment = world.environment});
  outcome.files_after = files_below(world.dir.path());
  return outcome;
}

std::vector<HostileRow> all_rows() {
  std::vector<HostileRow> rows;
  for (const auto& more : {hostile_flags(), hostile_media(), hostile_checkpoints(), hostile_commands()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

class HostileInput : public testing::TestWithParam<HostileRow> {
 protected:
  // Starting a program with libtorch inside takes longer than refusing a file, so the chosen rows run side by
  // side.
  static void SetUpTestSuite() {
    std::vector<HostileRow> chosen;
    const testing::TestSuite& suite = *testing::UnitTest::GetInstance()->current_test_suite();
    std::set<std::string> names;
    for (int i = 0; i < suite.total_test_count(); ++i) {
      const testing::TestInfo& test = *suite.GetTestInfo(i);
      const std::string name = test.name();
      if (test.should_run()) names.insert(name.substr(name.find('/') + 1));
    }
    for (const HostileRow& row : all_rows()) {
      if (names.contains(row.name)) chosen.push_back(row);
    }
    std::atomic<size_t> next = 0;
    std::mutex mutex;
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
      workers.emplace_back([&] {
        for (size_t at; (at = next++) < chosen.size();) {
          Outcome outcome;
          try {
            outcome = outcome_of(chosen[at]);
          } catch (const std::exception& error) {  // would end the thread, and with it the program
            outcome.failed = error.what();
          }
          const std::lock_guard lock(mutex);
          outcomes_[chosen[at].name] = std::move(outcome);
        }
      });
    }
  }

  static inline std::map<std::string, Outcome> outcomes_;
};

TEST_P(HostileInput, GivesOneErrorLine) {
  const HostileRow& row = GetParam();
  const Outcome& outcome = outcomes_.at(row.name);
  if (!outcome.skipped.empty()) GTEST_SKIP() << outcome.skipped;
  ASSERT_EQ(outcome.failed, "");
  const RunResult& run = outcome.run;
  SCOPED_TRACE(command_text(outcome.words) + "\nstdout: " + run.out.substr(0, 500) +
               "\nstderr: " + run.err.substr(0, 2000));

  EXPECT_FALSE(run.timed_out) << "hangs";
  EXPECT_EQ(run.signal, 0);
  EXPECT_EQ(run.status, row.status);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(outcome.files_after, outcome.files_before) << "files left behind, or gone";

  std::vector<std::string> lines = lines_of(run.err);
  if (row.retries)
    std::erase_if(lines, [](const std::string& line) { return line.ends_with("; trying again"); });
  ASSERT_EQ(lines.size(), 1u);
  RecordProperty("error", lines.front());
  EXPECT_TRUE(lines.front().starts_with("vl3: ")) << lines.front();
  EXPECT_NE(lines.front().find(row.error), std::string::npos) << "wanted: " << row.error;
  EXPECT_EQ(lines.front().find("vl3: internal"), std::string::npos) << "a defect of vl3, not of the input";
  for (const char c : lines.front())
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << lines.front();
}

std::string row_name(const testing::TestParamInfo<HostileRow>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Flags, HostileInput, testing::ValuesIn(hostile_flags()), row_name);
INSTANTIATE_TEST_SUITE_P(Media, HostileInput, testing::ValuesIn(hostile_media()), row_name);
INSTANTIATE_TEST_SUITE_P(Checkpoints, HostileInput, testing::ValuesIn(hostile_checkpoints()), row_name);
INSTANTIATE_TEST_SUITE_P(Commands, HostileInput, testing::ValuesIn(hostile_commands()), row_name);

}  // namespace
}  // namespace vl3::test
