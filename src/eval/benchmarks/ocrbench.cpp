#include <algorithm>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "OCRBench.json";
  const std::vector<Json> rows = read_json_list(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.id = i;
    item.media = {image_file(below(root / "OCRBench_Images", row.text("image_path"), row.where()))};
    item.task_types = {row.text("type")};
    item.question = row.text("question");
    item.ground_truth =
        row.at("answers").is_array() ? Json(row.texts("answers")) : Json(row.text_of("answers"));
    item.meta = {{"dataset_name", row.text("dataset_name")}};
    item.prompt = media_then(1, item.question + "\nAnswer the question with a single word or phrase.");
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

std::string normalised(const std::string& text, bool formula) {
  const std::string line = replace_all(strip(text), "\n", " ");
  return formula ? replace_all(line, " ", "") : lower(line);
}

/// Right where an answer occurs in the response.
Verdict score(const Item& item, const std::string& response, const Scoring&) {
  Verdict verdict;
  verdict.prediction = response;
  const bool formula = item.meta["dataset_name"] == "HME100k";
  const std::string found = normalised(response, formula);
  const Json& truth = item.ground_truth;
  for (const Json& answer : truth.is_array() ? truth : Json::array({truth})) {
    if (contains(found, normalised(answer.get<std::string>(), formula))) verdict.score = 1;
  }
  return verdict;
}

}  // namespace

Benchmark ocrbench() {
  Benchmark benchmark;
  benchmark.name = "OCRBench";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = counts;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"OCRBench", {"Overall"}, 779, 828, "804 InternVL2.5", "845 Qwen2-VL"}};
  return benchmark;
}

}  // namespace vl3::eval
