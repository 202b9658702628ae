// Parsed answers, scores, metrics and submissions of every golden run, as shipped and with the defects
// mended.
#include <gtest/gtest.h>

#include <map>

#include "eval/canned_run.h"
#include "eval/golden_eval.h"

namespace vl3::eval {
namespace {

ScoredRun score_run(const GoldenBenchmark& golden, const Dataset& data, const Json& responses,
                    Defects defects) {
  for (size_t i = 0; i < data.items.size(); ++i) EXPECT_EQ(responses[i]["id"], data.items[i].id);
  return score_run(golden.benchmark(), data, responses, defects);
}

std::string where(const GoldenBenchmark& golden, const Json& run, const Json& response) {
  return golden.name + " " + run["name"].get<std::string>() + " " + id_text(response["id"]) + " " +
         response["text"].dump();
}

class GoldenEvalScores : public testing::TestWithParam<std::string> {};

TEST_P(GoldenEvalScores, AsShipped) {
  const GoldenBenchmark golden = read_golden(GetParam());
  const Dataset data = golden.load(Defects::kOfficial);
  const Json& runs = golden.expected["runs"];
  for (size_t r = 0; r < runs.size(); ++r) {
    const Json& responses = golden.responses["runs"][r]["responses"];
    const ScoredRun run = score_run(golden, data, responses, Defects::kOfficial);
    int64_t failures = 0;
    for (size_t i = 0; i < data.items.size(); ++i) {
      const Json& expected = runs[r]["results"][i];
      const Verdict& verdict = run.verdicts[i];
      const std::string at = where(golden, runs[r], responses[i]);
      failures += verdict.failure.empty() ? 0 : 1;
      EXPECT_EQ(verdict.failure.empty(), !expected.contains("error")) << at << ": " << verdict.failure;
      if (expected.contains("prediction")) {
        EXPECT_EQ(difference(expected["prediction"], verdict.prediction, at), "");
      }
      if (expected.contains("after_judge")) {
        EXPECT_EQ(difference(expected["after_judge"], verdict.judged, at), "");
      }
      if (expected.contains("score")) {
        const Json& score = expected["score"];
        EXPECT_NEAR(score.is_boolean() ? (score.get<bool>() ? 1 : 0) : score.get<double>(), verdict.score,
                    1e-6)
            << at;
      }
      // A judge that could not change the score any more need not be missed.
      const bool needs = expected.value("needs_judge", false);
      if (verdict.judge_missing) {
        EXPECT_TRUE(needs) << at;
      }
      if (needs && verdict.score == 0) {
        EXPECT_TRUE(verdict.judge_missing) << at;
      }
    }
    EXPECT_EQ(failures, runs[r]["failures"].get<int64_t>()) << golden.name << " " << runs[r]["name"];
    if (runs[r].contains("metrics")) {
      EXPECT_EQ(difference(runs[r]["metrics"], golden.benchmark().metrics(run.scored), golden.name), "");
    }
    if (runs[r].contains("submission")) {
      EXPECT_EQ(difference(runs[r]["submission"], golden.benchmark().submission(run.scored), golden.name),
                "");
    }
  }
}

/// Where the set has what the mended code gives, the same; else nothing but documented fixes may differ.
TEST_P(GoldenEvalScores, WithDefectsMended) {
  const GoldenBenchmark golden = read_golden(GetParam());
  const Dataset data = golden.load(Defects::kFixed);
  const Json& runs = golden.expected["runs"];
  // An empty answer to a choice is wrong with us, the shortest option with them: docs/guides/eval.md.
  const bool own_fix = golden.name == "MathVista";
  for (size_t r = 0; r < runs.size(); ++r) {
    const Json& responses = golden.responses["runs"][r]["responses"];
    const ScoredRun run = score_run(golden, data, responses, Defects::kFixed);
    for (size_t i = 0; i < data.items.size(); ++i) {
      const Json& expected = runs[r]["results"][i];
      const Verdict& verdict = run.verdicts[i];
      const std::string at = where(golden, runs[r], responses[i]);
      if (expected.contains("intended")) {
        EXPECT_EQ(difference(expected["intended"], verdict.prediction, at), "");
      }
      if (expected.contains("score_numeric")) {
        EXPECT_EQ(expected["score_numeric"].get<bool>(), verdict.score > 0) << at;
      }
    }
    if (!runs[r].contains("metrics") || own_fix) continue;
    const char* key = runs[r].contains("metrics_intended")  ? "metrics_intended"
                      : runs[r].contains("metrics_numeric") ? "metrics_numeric"
                                                            : "metrics";
    EXPECT_EQ(difference(runs[r][key], golden.benchmark().metrics(run.scored),
                         golden.name + " " + runs[r]["name"].get<std::string>()),
              "");
  }
}

INSTANTIATE_TEST_SUITE_P(Set, GoldenEvalScores, testing::ValuesIn(golden_names()), golden_test_name);

}  // namespace
}  // namespace vl3::eval
