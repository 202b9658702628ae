#include "train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::train {
namespace {

using test::TempDir;
namespace fs = std::filesystem;

StepMetrics at_step(int64_t step) {
  StepMetrics metrics;
  metrics.step = step;
  metrics.loss = 1.0 / static_cast<double>(step);
  metrics.llm_lr = 1e-5;
  metrics.tokens = 1000;
  metrics.step_s = 0.5;
  return metrics;
}

std::vector<int64_t> steps_of(const fs::path& file) {
  std::vector<int64_t> steps;
  std::string text = read_file(file, 1 << 20);
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    steps.push_back(Json::parse(text.substr(begin, end - begin)).at("step").get<int64_t>());
  }
  EXPECT_TRUE(text.empty() || text.back() == '\n');
  return steps;
}

TEST(MetricsLog, AppendsALineAStep) {
  const TempDir dir;
  {
    MetricsLog log(dir / "log.jsonl", 0);
    for (int64_t step = 1; step <= 3; ++step) log.write(at_step(step));
  }
  EXPECT_EQ(steps_of(dir / "log.jsonl"), (std::vector<int64_t>{1, 2, 3}));
  const std::string text = read_file(dir / "log.jsonl", 1 << 20);
  const Json first = Json::parse(text.substr(0, text.find('\n')));
  EXPECT_EQ(first.at("loss"), 1.0);
  EXPECT_EQ(first.at("tokens_per_s"), 2000.0);
  EXPECT_EQ(first.at("llm_lr"), 1e-5);
  EXPECT_FALSE(first.contains("grad_norm"));
}

TEST(Metrics, AnswersStandByKindWithBothCounts) {
  StepMetrics metrics = at_step(1);
  EXPECT_FALSE(to_json(metrics).contains("answers"));
  add_scores(&metrics.answers, {{"scene.colour@one", {1, 2}}});
  add_scores(&metrics.answers, {{"scene.colour@one", {3, 4}}, {"text.copy@short", {0, 1}}});
  EXPECT_EQ(to_json(metrics).at("answers").dump(), R"({"scene.colour@one":[4,6],"text.copy@short":[0,1]})");
}

TEST(MetricsLog, ResumingCutsLaterStepsAndATornLine) {
  const TempDir dir;
  const fs::path file = dir / "log.jsonl";
  {
    MetricsLog log(file, 0);
    for (int64_t step = 1; step <= 5; ++step) log.write(at_step(step));
  }
  const std::string whole = read_file(file, 1 << 20);
  dir.write("log.jsonl", whole + whole.substr(0, 20));
  {
    MetricsLog log(file, 5);
    log.write(at_step(6));
  }
  EXPECT_EQ(steps_of(file), (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  {
    MetricsLog log(file, 2);
    log.write(at_step(3));
  }
  EXPECT_EQ(steps_of(file), (std::vector<int64_t>{1, 2, 3}));
  dir.write("log.jsonl", std::string("\0\0\0garbage\n{\"step\": \"x\"}\n", 25));
  { MetricsLog log(file, 2); }
  EXPECT_EQ(steps_of(file), std::vector<int64_t>{});
}

TEST(MetricsLog, NonFiniteNumbersStayJson) {
  StepMetrics metrics = at_step(1);
  metrics.loss = std::nan("");
  metrics.grad_norm = INFINITY;
  const Json json = Json::parse(to_json(metrics).dump());
  EXPECT_EQ(json.at("loss"), "nan");
  EXPECT_EQ(json.at("grad_norm"), "inf");
}

TEST(ProgressText, FitsTheTerminalAndExtrapolates) {
  StepMetrics metrics = at_step(110);
  metrics.loss = 1.5;
  const std::string text =
      progress_text(metrics, 200, 100, 10, 100);  // ten steps in ten seconds, ninety to go
  EXPECT_NE(text.find("110/200  55%  loss 1.5000  2.0k tok/s  ETA 0:01:30"), std::string::npos) << text;
  EXPECT_EQ(text[0], '[');
  EXPECT_LT(text.size(), 100u);
  EXPECT_EQ(progress_text(metrics, 200, 100, 10, 40).size(), 39u);
  EXPECT_NE(progress_text(metrics, 0, 110, 0, 100).find("ETA ?"), std::string::npos);
}

}  // namespace
}  // namespace vl3::train
