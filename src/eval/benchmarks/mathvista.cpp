#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"
#include "eval/text/edit_distance.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "testmini.json", query_file = root / "query.json";
  const OrderedJson problems = read_ordered_json(file);
  const Json queries = read_json_file(query_file, 1ull << 30);
  VL3_CHECK(problems.is_object(), kCorrupt, "{}: expected an object of problems", file.string());
  std::vector<Item> items;
  for (const auto& [key, value] : problems.items()) {
    const Json problem = value;
    const Row row(problem, file, items.size());
    Item item;
    item.id = key;
    item.media = {image_file(below(root, row.text("image"), row.where()))};
    item.task_types = {row.text("question_type")};
    item.question = row.text("question");
    if (row.has("choices")) item.options = row.texts("choices");
    item.ground_truth = row.text_of("answer");
    item.meta = {{"question_type", row.text("question_type")},
                 {"answer_type", row.text("answer_type")},
                 {"precision", row.has("precision") ? row.number("precision") : 0.0}};
    item.prompt = media_then(1, JsonView(queries, query_file.string()).string(key));
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

bool is_choice(const Item& item) { return item.meta["question_type"] == "multi_choice"; }

/// What stands between 'The answer is "' and the last '".' of its line: re's `The answer is "(.*)"\.`.
std::optional<std::string> quoted_answer(const std::string& response) {
  constexpr std::string_view kOpen = "The answer is \"", kClose = "\".";
  const std::string_view text = response;
  size_t at = text.find(kOpen);
  while (at != std::string_view::npos) {
    const size_t first = at + kOpen.size(), end = std::min(text.find('\n', first), text.size());
    const std::string_view rest = text.substr(first, end - first);
    const size_t close = rest.rfind(kClose);
    if (close != std::string_view::npos) return std::string(rest.substr(0, close));
    at = text.find(kOpen, end);  // what this one lacks, those behind it on the line lack, too
  }
  return std::nullopt;
}

/// The answer where it is clean already; nullopt where a judge has to find it.
std::optional<std::string> extract(const Item& item, const std::string& response) {
  if (response.empty()) return "";
  const bool option = std::find(item.options.begin(), item.options.end(), response) != item.options.end();
  if (is_choice(item) && option) return response;
  if (item.meta["answer_type"] == "integer") {
    if (const auto number = to_int(response)) return number;
  }
  if (item.meta["answer_type"] == "float") {
    if (const auto number = to_float(response)) return float_repr(*number);
  }
  return quoted_answer(response);
}

std::string judge_question(const Item& item, const std::string& response) {
  return "Read the question and the model's response, and extract the final answer as it is given there.\n"
         "Examples: a choice: C; a whole number: 14; a number with a fraction: 0.6; a list: [2007, 2008]. "
         "Reply "
         "with the answer alone, or with nothing where there is none.\n\nQuestion: " +
         item.prompt.back().text + "\n\nModel's response: " + response + "\n\nExtracted answer:";
}

std::string nearest_option(const Item& item, const std::string& answer) {
  const auto by_distance = [&](const std::string& a, const std::string& b) {
    return edit_distance(answer, a) < edit_distance(answer, b);
  };
  return *std::min_element(item.options.begin(), item.options.end(), by_distance);
}

/// "(b)" anywhere: "B".
std::optional<std::string> bracketed_letter(const std::string& text) {
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    const char c = static_cast<char>(text[i + 1] & ~0x20);
    if (text[i] == '(' && text[i + 2] == ')' && c >= 'A' && c <= 'Z') return std::string(1, c);
  }
  return std::nullopt;
}

std::string chosen_option(const Item& item, const std::string& extraction) {
  std::string text = strip(extraction);
  if (const auto found = bracketed_letter(text)) text = *found;
  if (text.size() == 1 && first_letter(text, item.options.size()))
    return item.options[static_cast<size_t>(text[0] - 'A')];
  return nearest_option(item, text);
}

/// The extraction in the form the truth has; nullopt where it is not of the answer's type.
std::optional<std::string> normalise(const Item& item, const std::string& extraction) {
  if (is_choice(item))
    return item.options.empty() ? std::nullopt : std::optional(chosen_option(item, extraction));
  const Json& type = item.meta["answer_type"];
  if (type != "integer" && type != "float") return extraction;
  const auto number = to_float(extraction);
  if (!number) return std::nullopt;
  if (type == "float") {
    const double precision = std::clamp(item.meta["precision"].get<double>(), 0.0, 17.0);
    return float_repr(round_to(*number, static_cast<int>(precision)));
  }
  if (!std::isfinite(*number)) return std::nullopt;
  const std::string whole = fmt::format("{:.0f}", std::trunc(*number));
  return whole == "-0" ? "0" : whole;
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  Verdict verdict;
  std::optional<std::string> extraction = extract(item, response);
  if (!extraction && scoring.judge != nullptr) {
    extraction = strip(scoring.judge->ask({.user = judge_question(item, response), .max_tokens = 256}));
    verdict.judged = *extraction;
  }
  verdict.judge_missing = !extraction;
  verdict.prediction = extraction.value_or("");
  // DIFFERS: the official code takes the shortest option for the nearest to an empty answer.
  if (scoring.defects == Defects::kFixed && verdict.prediction == "") return verdict;
  const auto normal = normalise(item, verdict.prediction.get<std::string>());
  verdict.score = normal && *normal == item.ground_truth.get<std::string>() ? 1 : 0;
  return verdict;
}

}  // namespace

Benchmark mathvista() {
  Benchmark benchmark;
  benchmark.name = "MathVista";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"MathVista testmini", {"Overall"}, 59.2, 67.1, "51.3 InternVL2.5", "65.4 NVILA"}};
  return benchmark;
}

}  // namespace vl3::eval
