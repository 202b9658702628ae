#include "synth/benchmark.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/file.h"
#include "support/temp_dir.h"
#include "synth/walk.h"

namespace vl3::test {
namespace {

using namespace synth;
namespace fs = std::filesystem;

BenchmarkItem exact(const std::string& id, const std::string& answer, std::vector<std::string> accepted = {},
                    std::vector<std::string> options = {}) {
  BenchmarkItem item;
  item.id = id;
  item.kind = "scene.colour";
  item.level = "one";
  item.answer = answer;
  item.accepted = std::move(accepted);
  item.options = std::move(options);
  return item;
}

TEST(Answers, AreComparedWithoutCaseMarksAndSpelling) {
  EXPECT_EQ(normalise_answer(" The Grey star. "), "gray star");
  EXPECT_EQ(normalise_answer("Seven"), "7");
  EXPECT_EQ(normalise_answer("$4.50!"), "4.50");
  EXPECT_EQ(normalise_answer("12:30"), "12:30");
  EXPECT_EQ(normalise_answer("7, 12"), "7 12");
  EXPECT_EQ(normalise_answer("A"), "a");  // the name of a bar
  EXPECT_EQ(normalise_answer("a red star"), "red star");
  EXPECT_EQ(normalise_answer("it's"), "its");
  EXPECT_EQ(normalise_answer(""), "");
  EXPECT_TRUE(is_right(exact("1", "gray"), "Grey"));
  EXPECT_TRUE(is_right(exact("1", "3"), "three"));
  EXPECT_TRUE(is_right(exact("1", "red circle", {"circle"}), "the circle"));
  EXPECT_FALSE(is_right(exact("1", "red circle", {"circle"}), "red"));
  EXPECT_FALSE(is_right(exact("1", "4.50"), "450"));
  EXPECT_FALSE(is_right(exact("1", "red"), "it is red or blue"));
  EXPECT_FALSE(is_right(exact("1", "A"), ""));
}

TEST(Answers, SpansAreJudgedByOverlap) {
  EXPECT_EQ(parse_span("1.0-3.0 s"), std::pair(1.0, 3.0));
  EXPECT_EQ(parse_span("from 2 to 4.5 seconds."), std::pair(2.0, 4.5));
  EXPECT_EQ(parse_span("at 2.0 s"), std::nullopt);
  EXPECT_EQ(parse_span("99999999999999999999999 - 1"), std::pair(1.0, 1e18));
  EXPECT_DOUBLE_EQ(span_iou({0, 2}, {1, 3}), 1.0 / 3);
  EXPECT_EQ(span_iou({0, 1}, {2, 3}), 0);
  EXPECT_EQ(span_iou({1, 1}, {1, 1}), 0);
  BenchmarkItem item = exact("1", "1.0-3.0 s");
  item.form = AnswerForm::kSpan;
  EXPECT_TRUE(is_right(item, "1.0-2.0 s"));
  EXPECT_FALSE(is_right(item, "2.5-3.0 s"));
  EXPECT_FALSE(is_right(item, "never"));
}

TEST(Scores, CountRightMissingAndChance) {
  const std::vector<BenchmarkItem> items{exact("1", "red", {}, {"red", "blue"}),
                                         exact("2", "blue", {}, {"red", "blue", "green", "gray"}),
                                         exact("3", "green"), exact("4", "gray")};
  const Scores scores = score(items, {{"1", "Red."}, {"2", "red"}, {"4", "grey"}});
  const KindScore& kind = scores.kinds.at("scene.colour");
  EXPECT_EQ(kind.items, 4);
  EXPECT_EQ(kind.right, 2);
  EXPECT_EQ(kind.missing, 1);
  EXPECT_DOUBLE_EQ(kind.chance, (0.5 + 0.25) / 4);
  EXPECT_EQ(scores.levels.at("scene.colour").at("one").items, 4);
  EXPECT_TRUE(says(table_of(scores), "scene.colour"));
  EXPECT_EQ(to_json(scores)["kinds"]["scene.colour"]["right"], 2);
  EXPECT_TRUE(says(error_of([&] {
                     score(items, {{"5", "red"}});
                   }),
                   "prediction for \"5\", which is not in the benchmark"));
}

TEST(Scores, HaveWilsonsInterval) {
  // 8 of 10, as in textbooks: 0.490 to 0.943.
  EXPECT_NEAR(wilson(8, 10).low, 0.4902, 1e-4);
  EXPECT_NEAR(wilson(8, 10).high, 0.9433, 1e-4);
  EXPECT_NEAR(wilson(0, 10).low, 0, 1e-12);
  EXPECT_NEAR(wilson(10, 10).high, 1, 1e-12);
  EXPECT_EQ(wilson(0, 0).high, 1);
}

class WrittenBenchmark : public testing::Test {
 protected:
  void write(VideoFiles video) {
    SynthOptions options;
    options.seed = 5;
    options.split = Split::kHeldout;
    options.mixture = {{"scene.colour", {}, 1},     {"scene.describe", {"few"}, 1}, {"video.when", {"f3"}, 1},
                       {"multi.which", {"one"}, 1}, {"text.copy", {}, 1},           {"stream", {}, 1}};
    write_benchmark(options, {dir_ / "set", 4, video, 2});
    items_ = read_benchmark(dir_ / "set");
  }
  TempDir dir_;
  std::vector<BenchmarkItem> items_;
};

TEST_F(WrittenBenchmark, ScoresItsOwnAnswersAsRight) {
  write(VideoFiles::kPng);
  ASSERT_EQ(items_.size(), 20U);  // five kinds; narration is left out
  std::map<std::string, std::string> predictions;
  for (const BenchmarkItem& item : items_) {
    predictions[item.id] = item.answer;
    for (const std::string& name : item.media) EXPECT_TRUE(fs::exists(dir_ / "set" / name)) << name;
    EXPECT_EQ(item.media.size(), item.media_type == MediaType::kText     ? 0U
                                 : item.media_type == MediaType::kImages ? 2U
                                                                         : 1U);
  }
  const Scores scores = score(items_, predictions);
  EXPECT_EQ(scores.all.right, 20);
  for (auto& [id, answer] : predictions) answer = "nonsense";
  EXPECT_EQ(score(items_, predictions).all.right, 0);
  EXPECT_EQ(score(items_, {}).all.missing, 20);
}

TEST_F(WrittenBenchmark, IsTheSameEveryTime) {
  write(VideoFiles::kH264);
  const std::string first = read_file(dir_ / "set/benchmark.jsonl", 1 << 24);
  const std::string clip =
      read_file(dir_ / "set" /
                    std::find_if(items_.begin(), items_.end(),
                                 [](const auto& i) { return i.media_type == MediaType::kVideo; })
                        ->media[0],
                1 << 24);
  fs::rename(dir_ / "set", dir_ / "first");
  write(VideoFiles::kH264);
  EXPECT_EQ(read_file(dir_ / "set/benchmark.jsonl", 1 << 24), first);
  EXPECT_EQ(read_file(dir_ / "set" /
                          std::find_if(items_.begin(), items_.end(),
                                       [](const auto& i) { return i.media_type == MediaType::kVideo; })
                              ->media[0],
                      1 << 24),
            clip);
  EXPECT_TRUE(says(error_of([&] { write(VideoFiles::kH264); }), "is not empty"));
}

TEST(Predictions, HostileFilesAreNamed) {
  TempDir dir;
  const auto error = [&](const std::string& text) {
    dir.write("p.jsonl", text);
    return error_of([&] { read_predictions(dir / "p.jsonl"); });
  };
  EXPECT_EQ(error(""), "");
  EXPECT_EQ(error("{\"id\": \"1\", \"prediction\": \"red\"}\n\n{\"id\": \"2\", \"prediction\": \"\"}"), "");
  EXPECT_TRUE(says(error("{\"id\": \"1\"}"), "line 1"));
  EXPECT_TRUE(says(error("\n{\"id\": 1, \"prediction\": \"x\"}"), "line 2"));
  EXPECT_TRUE(says(error("{\"id\": \"1\", \"prediction\": \"x\"}\n{\"id\": \"1\", \"prediction\": \"y\"}"),
                   "\"1\" is there twice"));
  EXPECT_TRUE(says(error("{\"id\": \"1\", \"prediction\": "), "not valid JSON"));
  EXPECT_TRUE(says(error("[]"), "expected a JSON object"));
  EXPECT_TRUE(says(error_of([&] { read_predictions(dir / "missing.jsonl"); }), "not found"));
  EXPECT_TRUE(says(error_of([&] { read_benchmark(dir.path()); }), "not found"));
  dir.write(
      "benchmark.jsonl",
      R"({"id": "1", "kind": "k", "level": "l", "media_type": "smell", "question": "", "answer": "", "form": "exact"})");
  EXPECT_TRUE(says(error_of([&] { read_benchmark(dir.path()); }), "\"smell\" is no type of media"));
  dir.write(
      "benchmark.jsonl",
      R"({"id": "1", "kind": "k", "level": "l", "media_type": "video", "question": "", "answer": "", "form": "caption", "facts": {"events": [{"type": "move", "object": 3, "start_s": 0, "end_s": 1}]}})");
  EXPECT_TRUE(says(error_of([&] { read_benchmark(dir.path()); }), "an event without objects"));
}

}  // namespace
}  // namespace vl3::test
