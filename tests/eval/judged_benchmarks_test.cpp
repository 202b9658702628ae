// The benchmarks that are judged wholly, which the golden set has none of: files, prompts, scores.
#include <gtest/gtest.h>

#include <map>

#include "eval/benchmark.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

/// Replies in turn, and keeps what it was asked.
class ScriptedJudge : public Judge {
 public:
  explicit ScriptedJudge(std::vector<std::string> replies) : replies_(std::move(replies)) {}
  std::vector<JudgeRequest> asked;

 private:
  std::string reply_to(const JudgeRequest& request) override {
    asked.push_back(request);
    return replies_.at(asked.size() - 1);
  }
  std::vector<std::string> replies_;
};

const Benchmark& named(const char* name) { return find_benchmark(paper_benchmarks(), name); }

TEST(JudgedBenchmarks, ThereAreTwentySix) {
  EXPECT_EQ(paper_benchmarks().size(), 26);
  EXPECT_EQ(&named("VIDEOMME"), &named("videomme"));
  EXPECT_NE(error_of([] { named("none"); }).find("known: videomme, mmvu"), std::string::npos);
}

TEST(JudgedBenchmarks, ActivityNetQa) {
  const test::TempDir dir;
  dir.write("test_q.json", R"([{"question_id":"v1_1","video_name":"abc","question":"is it a dog"}])");
  dir.write("test_a.json", R"([{"question_id":"v1_1","answer":"yes","type":3}])");
  const Benchmark& benchmark = named("activitynet_qa");
  const Dataset data = benchmark.load(dir.path(), Defects::kFixed);
  ASSERT_EQ(data.items.size(), 1);
  EXPECT_EQ(data.items[0].prompt[1].text,
            "Question: is it a dog\nPlease watch the video and answer the question clearly and concisely.\n");
  EXPECT_EQ(data.items[0].media[0].path, dir / "all_test/v_abc.mp4");
  EXPECT_EQ(data.items[0].task_types, std::vector<std::string>{"yes-no"});
  EXPECT_TRUE(benchmark.score(data.items[0], "yes", {}).judge_missing);
  ScriptedJudge judge({"{'pred': 'yes', 'score': 4}", "I think so", "{'pred': 'no', 'score': 9}"});
  const Verdict verdict = benchmark.score(data.items[0], "a dog", {Defects::kFixed, &judge});
  EXPECT_EQ(verdict.score, 1);
  EXPECT_EQ(judge.asked[0].temperature, 0.7);
  EXPECT_NE(judge.asked[0].user.find("Predicted answer: a dog"), std::string::npos);
  EXPECT_EQ(benchmark.metrics({{&data.items[0], &verdict, 0}}).dump(),
            R"({"yes-no":100.0,"Overall":100.0,"score":4.0})");
  for (int i = 0; i < 2; ++i)
    EXPECT_THROW(benchmark.score(data.items[0], "a dog", {Defects::kFixed, &judge}), NotJudged);
}

TEST(JudgedBenchmarks, Mmvu) {
  const test::TempDir dir;
  dir.write(
      "validation.json",
      R"([{"id":"validation_0","video":"https://host/a/b/Art/0.mp4","question":"Q?","question_type":"multiple-choice",
                 "choices":{"A":"x","B":"y"},"answer":"B","metadata":{"subject":"Art"}},
                {"id":"validation_1","video":"Art/1.mp4","question":"O?","question_type":"open-ended","choices":{},
                 "answer":"seven","metadata":{"subject":"Math"}}])");
  const Benchmark& benchmark = named("mmvu");
  const Dataset data = benchmark.load(dir.path(), Defects::kFixed);
  ASSERT_EQ(data.items.size(), 4);
  EXPECT_EQ(data.groups.size(), 2);
  EXPECT_EQ(data.items[0].media[0].path, dir / "videos/Art/0.mp4");
  EXPECT_EQ(data.items[0].prompt[1].text,
            "\nQuestion: Q?\nA: x\nB: y\n\nDo not generate any intermediate reasoning process. Answer "
            "directly with "
            "the option letter from the given choices.\n");
  EXPECT_EQ(
      data.items[1].prompt[1].text,
      "\nQuestion: Q?\nA: x\nB: y\n\nAnswer the given multiple-choice question step by step. Begin by "
      "explaining "
      "your reasoning process clearly. Conclude by stating the final answer using the following format: "
      "'Therefore, the final answer is: $LETTER' (without quotes), where $LETTER is one of the options. "
      "Think "
      "step by\nstep before answering.");
  EXPECT_EQ(
      data.items[2].prompt[1].text,
      "\nQuestion: O?\n\nDo not generate any intermediate reasoning process. Directly output the final short "
      "answer.\n");
  ScriptedJudge judge({R"(```json
{"extracted_answer": "B", "correct": true}
```)",
                       "no json", R"({"extracted_answer": "B", "correct": "true"})"});
  EXPECT_EQ(benchmark.score(data.items[0], "B", {Defects::kFixed, &judge}).score, 1);
  EXPECT_THROW(benchmark.score(data.items[0], "B", {Defects::kFixed, &judge}), NotJudged);
  EXPECT_THROW(benchmark.score(data.items[0], "B", {Defects::kFixed, &judge}), NotJudged);
}

TEST(JudgedBenchmarks, MathVerseTakesOnlyWhatIsInThePicture) {
  const test::TempDir dir;
  dir.write(
      "testmini.json",
      R"([{"sample_index":"1","problem_version":"Text Lite","image":"a.png","query_cot":"q","question_type":"free-form","answer":"1"},
                {"sample_index":"5","problem_version":"Vision Only","image":"b.png","query_cot":"Find x.","question_type":"multi-choice","answer":"B"}])");
  const Benchmark& benchmark = named("MathVerse");
  const Dataset data = benchmark.load(dir.path(), Defects::kFixed);
  ASSERT_EQ(data.items.size(), 1);
  EXPECT_EQ(data.items[0].prompt[1].text, "Find x.");
  ScriptedJudge judge({" B ", "1", "B", "maybe"});
  EXPECT_EQ(benchmark.score(data.items[0], "it is B", {Defects::kFixed, &judge}).score, 1);
  EXPECT_NE(judge.asked[1].user.find("Model's answer: B"), std::string::npos);
  EXPECT_THROW(benchmark.score(data.items[0], "it is B", {Defects::kFixed, &judge}), NotJudged);
}

/// Names in a dataset do not lead out of its folder, wrong types are named.
TEST(HostileData, IsRefusedWithItsPlace) {
  const test::TempDir dir;
  const auto refusal = [&](const char* name, const char* file, const std::string& text) {
    dir.write(file, text);
    return error_of([&] { named(name).load(dir.path(), Defects::kFixed); });
  };
  const std::string row = R"({"question_id":1,"image":"IMAGE","question":"q","answer":"A"})";
  for (const char* image : {"../x.png", "/etc/passwd", "a/../../x", ""}) {
    std::string text = row;
    text.replace(text.find("IMAGE"), 5, image);
    EXPECT_NE(refusal("AI2D", "ai2d_test_vlmevalkit.jsonl", text).find("below the data root"),
              std::string::npos)
        << image;
  }
  EXPECT_NE(refusal("AI2D", "ai2d_test_vlmevalkit.jsonl", "{\"question_id\":1,\"image\":3}").find("item 1"),
            std::string::npos);
  EXPECT_NE(refusal("AI2D", "ai2d_test_vlmevalkit.jsonl", "{}\n{broken").find("line 2"), std::string::npos);
  EXPECT_NE(refusal("OCRBench", "OCRBench.json", "{}").find("expected a list"), std::string::npos);
  EXPECT_NE(refusal("OCRBench", "OCRBench.json", std::string(100'000, '[')).find("nested deeper"),
            std::string::npos);
  EXPECT_NE(
      refusal("charades_sta", "charades_annotations_test-random_prompt.json",
              R"([{"question_id":"a","video":"v.mp4","conversation":[{"content":"q"}],"timestamps":[[1]]}])")
          .find("timestamps"),
      std::string::npos);
  EXPECT_NE(
      refusal("longvideobench", "lvb_val.json",
              R"([{"video_path":"v","subtitle_path":"s","question":"q","candidates":["a"],"correct_choice":5,
                         "question_category":"c","level":"l","starting_timestamp_for_subtitles":0,"duration":1}])")
          .find("correct_choice 5"),
      std::string::npos);
}

TEST(NextQa, KeepsOptionsThatPandasDrops) {
  const test::TempDir dir;
  dir.write("map_vid_vidorID.json", R"({"7":"0/7"})");
  dir.write("test.csv", "video,question,answer,type,a0,a1,a2,a3,a4\n7,q,2,CW,None,red,blue,null,\n");
  const Benchmark& benchmark = named("nextqa");
  const Dataset fixed = benchmark.load(dir.path(), Defects::kFixed);
  EXPECT_EQ(fixed.items[0].options, (std::vector<std::string>{"None", "red", "blue", "null"}));
  EXPECT_EQ(fixed.items[0].ground_truth, 2);
  const Dataset official = benchmark.load(dir.path(), Defects::kOfficial);
  EXPECT_EQ(official.items[0].options, (std::vector<std::string>{"red", "blue"}));
  EXPECT_EQ(official.items[0].ground_truth, 2);
}

}  // namespace
}  // namespace vl3::eval
