#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "llava_gqa_testdev_balanced.jsonl";
  const fs::path answers_file = root / "data" / "testdev_balanced_questions.json";
  const Json answers = read_json_file(answers_file, 2ull << 30);
  const std::vector<Json> rows = read_json_lines(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    const std::string id = row.text_of("question_id");
    item.id = row.at("question_id");
    item.media = {image_file(below(root / "data" / "images", row.text("image"), row.where()))};
    item.task_types = {row.text("category")};
    item.question = row.text("text");
    item.ground_truth = lower(JsonView(answers, answers_file.string()).object(id).string("answer"));
    item.prompt = media_then(1, item.question);
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

Verdict score(const Item& item, const std::string& response, const Scoring&) {
  return exact(lower(strip(strip(response), ".")), item);
}

}  // namespace

Benchmark gqa() {
  Benchmark benchmark;
  benchmark.name = "GQA";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"GQA", {"Overall"}, 62.7, 64.9, "59.8 Qwen2-VL", "62.4 Qwen2-VL"}};
  return benchmark;
}

}  // namespace vl3::eval
