// Properties that hold for every benchmark's metrics, over random scores.
#include "eval/scorers/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "eval/scorers/letters.h"
#include "eval/text/edit_distance.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

struct Drawn {
  std::vector<Item> items;
  std::vector<Verdict> verdicts;
  std::vector<Scored> scored;
};

Drawn draw(std::mt19937& random, size_t count) {
  Drawn drawn;
  drawn.items.resize(count);
  drawn.verdicts.resize(count);
  const char* tasks[] = {"existence", "count", "OCR", "augmented", "naïve – 位置"};
  for (size_t i = 0; i < count; ++i) {
    drawn.items[i].task_types = {tasks[random() % 5]};
    drawn.items[i].section = random() % 2 == 0 ? "with" : "without";
    drawn.items[i].ground_truth = "(A)";  // BLINK counts no others
    drawn.verdicts[i].score = static_cast<double>(random() % 5) / 4;
    drawn.verdicts[i].judged = {{"score", random() % 6}};
  }
  for (size_t i = 0; i < count; ++i) drawn.scored.push_back({&drawn.items[i], &drawn.verdicts[i], i / 2});
  return drawn;
}

/// The most a metric can be: percent, or a judge's 5; for MME percent of answers and of images, summed over
/// the tasks drawn (all perception); for OCRBench a count.
double most_of(const std::string& name, const std::string& key, const Drawn& drawn) {
  const auto questions = [&](const std::string& task) {
    return std::count_if(drawn.items.begin(), drawn.items.end(),
                         [&](const Item& item) { return item.task_types.front() == task; });
  };
  if (name == "OCRBench")
    return static_cast<double>(key == "Overall" ? drawn.items.size() : static_cast<size_t>(questions(key)));
  if (name != "MME") return name == "activitynet_qa" && key == "score" ? 5 : 100;
  if (key == "Cognition") return 0;
  if (key != "Perception" && key != "Overall") return 200;
  double most = 0;
  for (const char* task : {"existence", "count", "OCR"}) most += questions(task) > 0 ? 200 : 0;
  return most;
}

void expect_within(const Metrics& metrics, const Drawn& drawn, const std::string& name) {
  for (const auto& [key, value] : metrics.items()) {
    if (value.is_object()) {
      expect_within(value, drawn, name);
    } else {
      EXPECT_GE(value.get<double>(), 0) << name << " " << key;
      EXPECT_LE(value.get<double>(), most_of(name, key, drawn)) << name << " " << key;
    }
  }
}

/// Without regard to the order of keys, numbers up to rounding.
void expect_same(const Metrics& a, const Metrics& b, const std::string& name) {
  ASSERT_EQ(a.size(), b.size()) << name;
  for (const auto& [key, value] : a.items()) {
    ASSERT_TRUE(b.contains(key)) << name << " " << key;
    if (value.is_object())
      expect_same(value, b[key], name);
    else
      EXPECT_NEAR(value.get<double>(), b[key].get<double>(), 1e-9) << name << " " << key;
  }
}

TEST(Metrics, OfEveryBenchmarkAreBoundedAndBlindToOrder) {
  std::mt19937 random(1);
  for (const Benchmark& benchmark : paper_benchmarks()) {
    if (!benchmark.metrics) continue;
    for (int round = 0; round < 50; ++round) {
      Drawn drawn = draw(random, 1 + random() % 40);
      const Metrics metrics = benchmark.metrics(drawn.scored);
      expect_within(metrics, drawn, benchmark.name);
      std::shuffle(drawn.scored.begin(), drawn.scored.end(), random);
      expect_same(metrics, benchmark.metrics(drawn.scored), benchmark.name);
    }
  }
}

TEST(Metrics, OfNothingHaveNoHeadlineAndDoNotFail) {
  for (const Benchmark& benchmark : paper_benchmarks()) {
    if (!benchmark.metrics) continue;
    const auto headline = metric_at(benchmark.metrics({}), benchmark.headline);
    EXPECT_TRUE(!headline || *headline == 0) << benchmark.name;
  }
}

TEST(Metrics, OfEveryBenchmarkRiseWithTheScores) {
  std::mt19937 random(2);
  for (const Benchmark& benchmark : paper_benchmarks()) {
    if (!benchmark.metrics) continue;
    Drawn drawn = draw(random, 30);
    const double before = metric_at(benchmark.metrics(drawn.scored), benchmark.headline).value_or(0);
    for (Verdict& verdict : drawn.verdicts) verdict.score = 1;
    EXPECT_GE(metric_at(benchmark.metrics(drawn.scored), benchmark.headline).value_or(0), before)
        << benchmark.name;
  }
}

TEST(Metrics, ManyTypesOfOneQuestionCountForEach) {
  std::mt19937 random(3);
  Drawn drawn = draw(random, 2);
  drawn.items[0].task_types = {"a", "b"};
  drawn.items[1].task_types = {"b"};
  drawn.verdicts[0].score = 1;
  drawn.verdicts[1].score = 0;
  EXPECT_EQ(by_task(drawn.scored).dump(), R"({"a":100.0,"b":50.0,"Overall":50.0})");
}

TEST(EditDistance, IsAMetricByCodePoint) {
  const std::vector<std::string> words = {"",       "a",    "ab",     "Zürich", "Zurich",
                                          "日本語", "日本", "kitten", "sitting"};
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("Zürich", "Zurich"), 1);
  EXPECT_EQ(edit_distance("日本語", "日本"), 1);
  for (const std::string& a : words) {
    EXPECT_EQ(edit_distance(a, a), 0);
    EXPECT_EQ(edit_distance(a, ""), length(a));
    for (const std::string& b : words) {
      EXPECT_EQ(edit_distance(a, b), edit_distance(b, a));
      for (const std::string& c : words)
        EXPECT_LE(edit_distance(a, c), edit_distance(a, b) + edit_distance(b, c));
    }
  }
}

/// Whatever the answer, every parser ends without an exception and with a score between 0 and 1.
TEST(Scorers, TakeAnyText) {
  std::mt19937 random(4);
  const std::vector<std::string> pieces = {"A",      "(B)",    " ",   ".",  "\n",     "\\boxed{", "}",
                                           "answer", "Answer", "é",   "日", "\xff",   "1e5",      "-",
                                           "to",     "3.5",    "yes", "No", "\\frac", "{",        "\\sqrt",
                                           "is ",    "=",      "$",   "%",  "oxed{",  "\t"};
  Item item;
  item.options = {"A. red.", "B. 7", "C. ", "D"};
  item.meta = {{"question_type", "multi_choice"},
               {"answer_type", "float"},
               {"precision", 2},
               {"choices", ""},
               {"dataset_name", "HME100k"}};
  for (const Benchmark& benchmark : paper_benchmarks()) {
    item.ground_truth = benchmark.name == "charades_sta" ? Json::parse("[1.0, 2.0]")
                        : benchmark.name == "DocVQA" || benchmark.name == "InfoVQA" ? Json::parse("[\"red\"]")
                                                                                    : Json("A. red.");
    item.prompt = {{"question", -1}};
    for (const char* section : {"yes_no", "captioning", "caption_matching", "multi_choice"}) {
      item.section = section;
      for (int round = 0; round < 100; ++round) {
        std::string text;
        for (size_t i = random() % 12; i > 0; --i) text += pieces[random() % pieces.size()];
        for (const Defects defects : {Defects::kFixed, Defects::kOfficial}) {
          const Verdict verdict = benchmark.score(item, text, {defects, nullptr});
          EXPECT_GE(verdict.score, 0) << benchmark.name << ": " << text;
          EXPECT_LE(verdict.score, benchmark.name == "charades_sta" ? 100 : 1)
              << benchmark.name << ": " << text;
        }
      }
    }
  }
}

}  // namespace
}  // namespace vl3::eval
