#include "eval/run/compare.h"

#include <gtest/gtest.h>

#include "eval/answerers.h"
#include "eval/run/report.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

void write_run(const std::filesystem::path& folder, size_t count,
               const FunctionAnswerer::Function& function) {
  const std::vector<Task> tasks = {letter_task(count)};
  FunctionAnswerer answerer(function);
  answer_share(tasks, answerer, run_options(folder), {});
  const ScoredTask scored = score_task(tasks[0], collect(tasks, run_options(folder), {}), {});
  write_results({make_report(scored, {})}, {}, folder);
}

TEST(Compare, ARunWithItselfHasNoDifference) {
  const test::TempDir dir;
  write_run(dir / "a", 60, letter_answer);
  write_run(dir / "b", 66, letter_answer);
  const auto tasks = compare_runs(dir / "a", dir / "b");
  ASSERT_EQ(tasks.size(), 1);
  EXPECT_EQ(tasks[0].pairs, 60);
  EXPECT_EQ(tasks[0].only_a, 0);
  EXPECT_EQ(tasks[0].only_b, 6);
  EXPECT_EQ(tasks[0].mean_a, tasks[0].mean_b);
  EXPECT_EQ(tasks[0].p_media, 1);
  EXPECT_EQ(tasks[0].p_exact, 1);
}

TEST(Compare, ABetterRunIsSeenAndSwappingTurnsTheSign) {
  const test::TempDir dir;
  write_run(dir / "a", 120, letter_answer);
  write_run(dir / "b", 120, [](const std::string&) { return "no idea"; });
  const auto forth = compare_runs(dir / "a", dir / "b"), back = compare_runs(dir / "b", dir / "a");
  EXPECT_LT(forth[0].p_media, 0.01);
  EXPECT_LT(*forth[0].p_exact, 1e-6);
  EXPECT_EQ(forth[0].b_better, 0);
  EXPECT_LT(forth[0].spread->high, 0);
  EXPECT_DOUBLE_EQ(forth[0].mean_b - forth[0].mean_a, back[0].mean_a - back[0].mean_b);
  EXPECT_EQ(forth[0].p_media, back[0].p_media);
  EXPECT_NE(comparison_table(forth).find("letters"), std::string::npos);
}

TEST(Compare, FoldersWithoutCommonTasksAreNamed) {
  const test::TempDir dir;
  write_run(dir / "a", 3, letter_answer);
  EXPECT_NE(error_of([&] { compare_runs(dir / "a", dir.path()); }).find("no task in common"),
            std::string::npos);
  EXPECT_NE(error_of([&] { compare_runs(dir / "a", dir / "none"); }).find("no such folder"),
            std::string::npos);
  dir.write("b/samples_letters.jsonl", "{\"doc\":{\"id\":1}}\n");
  EXPECT_NE(error_of([&] { compare_runs(dir / "a", dir / "b"); }).find("score"), std::string::npos);
}

}  // namespace
}  // namespace vl3::eval
