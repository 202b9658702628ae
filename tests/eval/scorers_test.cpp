// What single benchmarks make of files and replies that the golden set has none of.
#include <gtest/gtest.h>

#include "eval/benchmark.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

/// A reply of 30'000 openings took 38 s: the line was read again for each.
TEST(MathVista, TakesTheFirstQuotedAnswerThatItsLineCloses) {
  const std::string open = "The answer is \"";
  std::string many;
  for (int i = 0; i < 30'000; ++i) many += open;
  Item item;
  item.meta = {{"question_type", "free_form"}, {"answer_type", "text"}, {"precision", 0}};
  item.ground_truth = "7";
  const auto extracted = [&](const std::string& response) -> std::optional<std::string> {
    const Benchmark& benchmark = find_benchmark(paper_benchmarks(), "MathVista");
    const Verdict verdict = benchmark.score(item, response, {Defects::kFixed, nullptr});
    return verdict.judge_missing ? std::nullopt : std::optional(verdict.prediction.get<std::string>());
  };
  EXPECT_EQ(extracted(open + "7\"."), "7");
  EXPECT_EQ(extracted(open + "\"."), "");
  EXPECT_EQ(extracted(open + "7\". Or \"8\". No."), "7\". Or \"8");
  EXPECT_EQ(extracted(open + open + "7\"."), open + "7");
  EXPECT_EQ(extracted(open + "a\nb\". " + open + "7\".\n" + open + "8\"."), "7");
  EXPECT_EQ(extracted("\"." + open), std::nullopt);
  EXPECT_EQ(extracted(open + "7\"\n."), std::nullopt);
  EXPECT_EQ(extracted(many), std::nullopt);
  EXPECT_EQ(extracted(many + "\n" + open + "7\"."), "7");
  EXPECT_TRUE(extracted(many + "7\".") == many.substr(open.size()) + "7");
}

/// The file of answers was named with the row of the question.
TEST(ActivityNetQa, NamesTheRowOfTheAnswer) {
  const test::TempDir dir;
  dir.write("test_q.json", R"([{"question_id":"a","video_name":"v","question":"q"}])");
  const auto refusal = [&](const char* bad) {
    dir.write("test_a.json", fmt::format(R"([{{"question_id":"b","answer":"no","type":3}},
                                             {{"question_id":"c","answer":"no","type":3}},{}])",
                                         bad));
    const Benchmark& benchmark = find_benchmark(paper_benchmarks(), "activitynet_qa");
    return error_of([&] { benchmark.load(dir.path(), Defects::kFixed); });
  };
  EXPECT_NE(refusal(R"({"question_id":"a","type":3})").find("test_a.json: item 3"), std::string::npos);
  EXPECT_NE(refusal(R"({"question_id":"a","answer":"no","type":9})").find("test_a.json: item 3: type 9"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::eval
