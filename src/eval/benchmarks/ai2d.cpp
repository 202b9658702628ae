#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "ai2d_test_vlmevalkit.jsonl";
  const std::vector<Json> rows = read_json_lines(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.id = row.at("question_id");
    item.media = {image_file(below(root, row.text("image"), row.where()))};
    item.task_types = {"test"};
    item.question = row.text("question");
    const std::string answer = row.text("answer");
    VL3_CHECK(answer.size() == 1 && answer[0] >= 'A' && answer[0] <= 'D', kCorrupt,
              "{}: answer \"{}\" is none of A to D", row.where(), answer);
    item.ground_truth = answer[0] - 'A';
    item.prompt = media_then(1, item.question);
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

/// Without a letter the answer is wrong, but not a failure: the prediction is null.
Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  const std::string body = without_answer_word(response);
  const auto found = first_letter(body, 4);
  if (!found) return Verdict{};
  // DIFFERS: "( B )" ends the official run.
  if (scoring.defects == Defects::kOfficial && letter_fails(body, 4, LetterContext::kBrackets))
    return no_answer("the official parser fails on the letter's surroundings");
  return exact(*found, item);
}

}  // namespace

Benchmark ai2d() {
  Benchmark benchmark;
  benchmark.name = "AI2D";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"AI2D", {"Overall"}, 78.2, 84.7, "74.9 InternVL2.5", "93.2 Molmo"}};
  return benchmark;
}

}  // namespace vl3::eval
