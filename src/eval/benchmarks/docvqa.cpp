// DocVQA and InfoVQA: one score, two layouts of files.
#include <algorithm>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "eval/text/edit_distance.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Item make_item(const Row& row, const char* id, fs::path image, const char* answers) {
  Item item;
  item.id = row.at(id);
  item.media = {image_file(std::move(image))};
  item.task_types = {"val"};
  item.question = row.text("question");
  item.ground_truth = row.texts(answers);
  VL3_CHECK(!item.ground_truth.empty(), kCorrupt, "{}: has no answer", row.where());
  item.prompt = media_then(1, item.question + "\nAnswer the question with a single word or phrase.");
  return item;
}

Dataset load_docvqa(const fs::path& root, Defects) {
  const fs::path file = root / "val.jsonl";
  const std::vector<Json> rows = read_json_lines(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    items.push_back(make_item(row, "question_id", below(root, row.text("image"), row.where()), "answer"));
  }
  return make_dataset(std::move(items));
}

Dataset load_infovqa(const fs::path& root, Defects) {
  const fs::path file = root / "infographicsVQA_val_v1.0_withQT.json";
  const Json content = read_json_file(file, 1ull << 30);
  const Json& rows = JsonView(content, file.string()).at("data");
  VL3_CHECK(rows.is_array(), kCorrupt, "{}: \"data\" must be a list", file.string());
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    items.push_back(make_item(row, "questionId",
                              below(root / "images", row.text("image_local_name"), row.where()), "answers"));
  }
  return make_dataset(std::move(items));
}

std::string collapsed(const std::string& text) {
  std::string out;
  for (const std::string& word : split_words(lower(text))) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// 1 - the smallest edit distance over length. As in the reference there is no cut at 0.5, and the length is
/// that of the texts as they came.
Verdict score(const Item& item, const std::string& response, const Scoring&) {
  Verdict verdict;
  verdict.prediction = response;
  double best = 0;
  for (const Json& answer : item.ground_truth) {
    const std::string truth = answer.get<std::string>();
    const size_t size = std::max(length(truth), length(response));
    const auto distance = static_cast<double>(edit_distance(collapsed(truth), collapsed(response)));
    best = std::max(best, size == 0 ? 1.0 : 1 - distance / static_cast<double>(size));
  }
  verdict.score = best;
  return verdict;
}

Benchmark documents(const char* name) {
  Benchmark benchmark;
  benchmark.name = name;
  benchmark.score = score;
  benchmark.metrics = [](const std::vector<Scored>& scored) { return single(scored, "val"); };
  benchmark.headline = {"val"};
  return benchmark;
}

}  // namespace

Benchmark docvqa() {
  Benchmark benchmark = documents("DocVQA");
  benchmark.load = load_docvqa;
  benchmark.paper = {
      {"DocVQA (paper: test, here: val)", {"val"}, 91.9, 94.9, "90.1 Qwen2-VL", "94.5 Qwen2-VL"}};
  return benchmark;
}

Benchmark infovqa() {
  Benchmark benchmark = documents("InfoVQA");
  benchmark.load = load_infovqa;
  benchmark.paper = {
      {"InfoVQA (paper: test, here: val)", {"val"}, 69.4, 78.9, "65.5 Qwen2-VL", "77.6 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
