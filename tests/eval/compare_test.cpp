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
  const auto tasks = compare_runs(dir / "a", dir / "b").tasks;
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
  const Comparison comparison = compare_runs(dir / "a", dir / "b");
  const auto forth = comparison.tasks, back = compare_runs(dir / "b", dir / "a").tasks;
  EXPECT_LT(forth[0].p_media, 0.01);
  EXPECT_LT(*forth[0].p_exact, 1e-6);
  EXPECT_EQ(forth[0].b_better, 0);
  EXPECT_LT(forth[0].spread->high, 0);
  EXPECT_DOUBLE_EQ(forth[0].mean_b - forth[0].mean_a, back[0].mean_a - back[0].mean_b);
  EXPECT_EQ(forth[0].p_media, back[0].p_media);
  EXPECT_NE(comparison_table(comparison).find("letters"), std::string::npos);
}

TEST(Compare, WhatDiffersOrIsMissingIsLeftOutAndSaid) {
  const test::TempDir dir;
  const auto line = [](int id, const char* input, const char* section, double score, const char* failure) {
    return Json{{"doc", {{"id", id}, {"section", section}, {"media", {"v.mp4"}}}},
                {"input", input},
                {"target", "A"},
                {"score", score},
                {"failure", failure}}
               .dump() +
           "\n";
  };
  dir.write("a/samples_videomme.jsonl", line(1, "one", "without_subtitle", 1, "") +
                                            line(2, "two", "with_subtitle", 0, "no answer: broken") +
                                            line(3, "three", "with_subtitle", 1, ""));
  dir.write("b/samples_videomme.jsonl", line(1, "one", "without_subtitle", 0, "") +
                                            line(2, "two", "with_subtitle", 1, "") +
                                            line(3, "another", "with_subtitle", 1, ""));
  dir.write("b/samples_mvbench.jsonl", line(1, "one", "", 1, ""));
  const Comparison comparison = compare_runs(dir / "a", dir / "b");
  ASSERT_EQ(comparison.tasks.size(), 3);
  const TaskComparison& all = comparison.tasks[0];
  EXPECT_EQ(all.pairs, 2);
  EXPECT_EQ(all.changed, 1);
  EXPECT_EQ(all.only_b, 0);
  EXPECT_EQ(all.failed_a, 1);
  EXPECT_EQ(all.failed_b, 0);
  EXPECT_EQ(comparison.tasks[1].task, "videomme with_subtitle");
  EXPECT_EQ(comparison.tasks[1].b_better, 1);
  EXPECT_EQ(comparison.tasks[2].a_better, 1);
  const std::string table = comparison_table(comparison);
  EXPECT_NE(table.find("0 only in B, 1 that differ"), std::string::npos) << table;
  EXPECT_NE(table.find("left out: mvbench, which is only in B"), std::string::npos) << table;
  dir.write("b/samples_videomme.jsonl", line(1, "one", "", 1e308, ""));
  EXPECT_NE(error_of([&] { compare_runs(dir / "a", dir / "b"); }).find("is no score"), std::string::npos);
}

TEST(Compare, FoldersWithoutCommonTasksAreNamed) {
  const test::TempDir dir;
  write_run(dir / "a", 3, letter_answer);
  EXPECT_NE(error_of([&] { compare_runs(dir / "a", dir.path()); }).find("no task in common"),
            std::string::npos);
  EXPECT_NE(error_of([&] { compare_runs(dir / "a", dir / "none"); }).find("no such folder"),
            std::string::npos);
  dir.write("b/samples_letters.jsonl", "{\"doc\":{\"id\":1}}\n");
  EXPECT_NE(error_of([&] { compare_runs(dir / "a", dir / "b"); }).find("\"media\" is missing"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::eval
