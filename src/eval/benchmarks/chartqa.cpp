#include <cmath>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "eval/scorers/same_meaning.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;
constexpr double kRelativeError = 0.05;

Dataset load(const fs::path& root, Defects) {
  std::vector<Item> items;
  for (const auto& [name, part] : {std::pair("test_augmented_renamed.jsonl", "augmented"),
                                   std::pair("test_human_renamed.jsonl", "human")}) {
    const fs::path file = root / name;
    const std::vector<Json> rows = read_json_lines(file);
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row row(rows[i], file, i);
      Item item;
      item.id = row.at("question_id");
      item.media = {image_file(below(root, row.text("image"), row.where()))};
      item.task_types = {part};
      item.question = row.text("question");
      item.ground_truth =
          row.at("answer").is_array() ? Json(row.texts("answer")) : Json(row.text_of("answer"));
      item.prompt = media_then(1, item.question + "\nAnswer the question using a single word or phrase.");
      items.push_back(std::move(item));
    }
  }
  return make_dataset(std::move(items));
}

/// A number as Python's float() reads it; "5%" is 0.05.
std::optional<double> number_of(const std::string& text) {
  if (!text.ends_with('%')) return to_float(text);
  const auto number = to_float(rstrip(text, "%"));
  return number ? std::optional(*number / 100) : std::nullopt;
}

bool close(double found, double truth) { return std::abs(found - truth) / std::abs(truth) <= kRelativeError; }

/// One answer of the truth. Both numbers: within 5 %, also where one is a hundred times the other. Else the
/// same text, letter case aside, or a judge's word.
void compare(const Item& item, const std::string& response, const std::string& truth, Judge* judge,
             Verdict& verdict) {
  const std::string found = strip(response), wanted = strip(truth);
  const auto a = number_of(found), b = number_of(wanted);
  if (a && b && *b != 0) {
    if (close(*a, *b) || close(*a * 100, *b) || close(*a / 100, *b)) verdict.score = 1;
  } else if (lower(found) == lower(wanted)) {
    verdict.score = 1;
  } else {
    ask_same_meaning(item.question, truth, response, judge, verdict);
  }
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  Verdict verdict;
  verdict.prediction = response;
  const Json& truth = item.ground_truth;
  for (const Json& one : truth.is_array() ? truth : Json::array({truth})) {
    if (verdict.score == 0) compare(item, response, one.get<std::string>(), scoring.judge, verdict);
  }
  if (verdict.score > 0) verdict.judge_missing = false;
  return verdict;
}

/// "Overall" is the mean of the two parts.
Metrics metrics(const std::vector<Scored>& scored) {
  Metrics all = by_task(scored);
  all.erase("Overall");
  double sum = 0;
  for (const auto& part : all) sum += part.get<double>();
  if (!all.empty()) all["Overall"] = sum / static_cast<double>(all.size());
  return all;
}

}  // namespace

Benchmark chartqa() {
  Benchmark benchmark;
  benchmark.name = "ChartQA";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = metrics;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"ChartQA", {"Overall"}, 79.8, 86.3, "79.2 InternVL2.5", "86.1 NVILA"}};
  return benchmark;
}

}  // namespace vl3::eval
