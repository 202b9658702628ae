#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/data/pictures.h"
#include "eval/scorers/metrics.h"
#include "eval/scorers/same_meaning.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  std::vector<Item> items;
  for (const fs::path& file : find_parts(root / "data", "test-", ".parquet")) {
    const auto parquet = std::make_shared<const ParquetFile>(file);
    const std::vector<Json> rows = parquet->rows();
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row row(rows[i], file, i);
      Item item;
      item.id = items.size();
      item.media = {picture_in(parquet, i, "image")};
      item.task_types = {"test"};
      item.question = row.text("question");
      item.ground_truth = lower(strip(row.text("answer")));
      item.prompt = media_then(1, item.question);
      items.push_back(std::move(item));
    }
  }
  return make_dataset(std::move(items));
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  std::string found = lower(strip(response));
  // DIFFERS: an empty response ends the official run.
  if (found.empty() && scoring.defects == Defects::kOfficial)
    return no_answer("the official parser fails on an empty response");
  if (found.ends_with('.')) found.pop_back();
  Verdict verdict;
  verdict.prediction = found;
  if (strip(found) == item.ground_truth)
    verdict.score = 1;
  else
    ask_same_meaning(item.question, item.ground_truth.get<std::string>(), found, scoring.judge, verdict);
  return verdict;
}

}  // namespace

Benchmark realworldqa() {
  Benchmark benchmark;
  benchmark.name = "RealWorldQA";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"RealWorldQA", {"Overall"}, 67.3, 72.7, "62.9 Qwen2-VL", "70.7 Molmo"}};
  return benchmark;
}

}  // namespace vl3::eval
