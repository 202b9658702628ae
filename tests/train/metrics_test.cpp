#include "train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace vl3::train {
namespace {

StepMetrics at_step(int64_t step) {
  StepMetrics metrics;
  metrics.step = step;
  metrics.loss = 1.0 / static_cast<double>(step);
  metrics.llm_lr = 1e-5;
  metrics.tokens = 1000;
  metrics.step_s = 0.5;
  return metrics;
}

TEST(StepMetrics, AreAJsonObject) {
  const Json json = Json::parse(to_json(at_step(1)).dump());
  EXPECT_EQ(json.at("loss"), 1.0);
  EXPECT_EQ(json.at("tokens_per_s"), 2000.0);
  EXPECT_EQ(json.at("llm_lr"), 1e-5);
  EXPECT_FALSE(json.contains("grad_norm"));
}

TEST(Metrics, AnswersStandByKindWithBothCounts) {
  StepMetrics metrics = at_step(1);
  EXPECT_FALSE(to_json(metrics).contains("answers"));
  add_scores(&metrics.answers, {{"scene.colour@one", {1, 2}}});
  add_scores(&metrics.answers, {{"scene.colour@one", {3, 4}}, {"text.copy@short", {0, 1}}});
  EXPECT_EQ(to_json(metrics).at("answers").dump(), R"({"scene.colour@one":[4,6],"text.copy@short":[0,1]})");
}

TEST(StepMetrics, NonFiniteNumbersStayJson) {
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
