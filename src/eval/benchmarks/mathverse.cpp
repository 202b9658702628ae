#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

fs::path image_of(const fs::path& root, const std::string& name, const std::string& where) {
  std::error_code error;
  fs::path path = below(root / "images", name, where);
  return fs::exists(path, error) ? path : below(root, name, where);
}

/// Only the problems whose text is inside the picture.
Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "testmini.json";
  const std::vector<Json> rows = read_json_list(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    if (row.text("problem_version") != "Vision Only") continue;
    Item item;
    item.id = row.text_of("sample_index");
    item.media = {image_file(image_of(root, row.text("image"), row.where()))};
    item.task_types = {row.text("question_type")};
    item.question = row.text("query_cot");
    item.ground_truth = row.text_of("answer");
    item.prompt = media_then(1, item.question);
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

std::string extraction_question(const std::string& response) {
  return "Extract the final answer from a model's response to a mathematical problem, as a letter, a number "
         "or an "
         "expression with its unit. Reply with the answer alone.\n\nModel's response: " +
         response + "\n\nExtracted answer:";
}

std::string judge_question(const Item& item, const std::string& extraction) {
  return "Below are the correct answer to a mathematical problem and a model's answer. Reply with 1 where "
         "they are "
         "equal in value or name the same choice, with 0 otherwise, and with nothing else.\n\nProblem: " +
         item.question + "\nCorrect answer: " + item.ground_truth.get<std::string>() +
         "\nModel's answer: " + extraction + "\nJudgement:";
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  if (scoring.judge == nullptr) return unjudged(response);
  Verdict verdict;
  verdict.prediction = response;
  const std::string extraction =
      strip(scoring.judge->ask({.user = extraction_question(response), .max_tokens = 256}));
  const std::string word = strip(scoring.judge->ask(
      {.user = judge_question(item, extraction), .max_tokens = 16, .usable = [](const std::string& reply) {
         return strip(reply) == "0" || strip(reply) == "1";
       }}));
  verdict.judged = {{"extracted_answer", extraction}, {"correct", word == "1"}};
  verdict.score = word == "1" ? 1 : 0;
  return verdict;
}

}  // namespace

Benchmark mathverse() {
  Benchmark benchmark;
  benchmark.name = "MathVerse";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  benchmark.wholly_judged = true;
  return benchmark;
}

}  // namespace vl3::eval
