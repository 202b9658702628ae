#include "eval/run/report.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "eval/answerers.h"
#include "eval/data/files.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

TEST(Report, FilesHaveTheLayoutOfLmmsEval) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(30)};
  FunctionAnswerer answerer([](const std::string& question) {
    if (question == "question 2") VL3_FAIL(kNotFound, "no picture");
    return question == "question 3" ? std::string("é | dunno") : letter_answer(question);
  });
  answer_share(tasks, answerer, run_options(dir.path()), {});
  const ScoredTask scored = score_task(tasks[0], collect(tasks, run_options(dir.path()), {}), {});
  const std::vector<TaskReport> reports = {make_report(scored, {})};
  EXPECT_EQ(scored.failed, 1);
  write_results(reports, {.settings = {{"fps", 1}}, .date = "2030-01-01T00:00:00Z", .seconds = 1},
                dir.path());
  const Json results = read_json_file(dir / "results.json");
  for (const char* key : {"results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better",
                          "n-samples", "config", "date"})
    EXPECT_TRUE(results.contains(key)) << key;
  const Json& task = results["results"]["letters"];
  EXPECT_EQ(task["alias"], "letters");
  EXPECT_DOUBLE_EQ(task["Overall,none"].get<double>(), *reports[0].headline);
  EXPECT_GT(task["Overall_stderr,none"].get<double>(), 0);
  EXPECT_EQ(results["n-samples"]["letters"]["effective"], 30);
  EXPECT_EQ(results["vl3"]["letters"]["failed"], 1);
  EXPECT_EQ(results["vl3"]["letters"]["unparsed"], 1);
  EXPECT_EQ(results["vl3"]["letters"]["failures"].size(), 2);
  const Json& head = results["vl3"]["letters"]["headline"];
  EXPECT_LE(head["low"].get<double>(), head["value"].get<double>());
  EXPECT_GE(head["high"].get<double>(), head["value"].get<double>());

  const std::vector<Json> samples = read_json_lines(dir / "samples_letters.jsonl");
  ASSERT_EQ(samples.size(), 30);
  EXPECT_EQ(samples[3]["resps"], Json::parse(R"([["é | dunno"]])"));
  EXPECT_EQ(samples[3]["filtered_resps"], Json::array({nullptr}));
  EXPECT_EQ(samples[2]["failure"], "no answer: not found: no picture");
  const std::string markdown = read_file(dir / "results.md", 1 << 20);
  EXPECT_NE(markdown.find("- 2: no answer: not found: no picture"), std::string::npos);
  EXPECT_NE(results_table(reports).find("1 failed, 1 without a usable answer"), std::string::npos);
}

}  // namespace
}  // namespace vl3::eval
