#include <array>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/latex.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIntroduction =
    "Please solve the problem step by step and put your answer in one \"\\boxed{}\". If it is a multiple "
    "choice "
    "question, only one letter is allowed in the \"\\boxed{}\".\n";

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "test.jsonl";
  const std::vector<Json> rows = read_json_lines(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.id = row.at("id");
    item.media = {image_file(below(root, row.text("image"), row.where()))};
    item.task_types = {row.text("subject")};
    item.question = row.text("question");
    item.options = row.texts("options");
    item.ground_truth = row.text_of("answer");
    std::string lines;
    std::string plain;
    for (size_t o = 0; o < item.options.size(); ++o) {
      lines += fmt::format("({}) {}\n", static_cast<char>('A' + o), item.options[o]);
      plain += item.options[o];
    }
    if (plain == "ABCDE") lines.clear();  // the options are in the picture
    item.prompt = media_then(1, kIntroduction + item.question + "\n" + lines);
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

std::string last_part(const std::string& text, const std::string& separator) {
  return split(text, separator).back();
}

/// A response that is a letter in one of five ways.
std::string bare_letter(std::string text) {
  for (const char* letter : {"A", "B", "C", "D", "E"}) {
    if (text.ends_with(fmt::format(" {}.", letter)) || text.ends_with(fmt::format(" ({}).", letter)) ||
        text.starts_with(fmt::format("{}\n", letter)) || text.starts_with(fmt::format("({})\n", letter)) ||
        text.starts_with(fmt::format("({0}) {0}\n", letter)))
      text = letter;
  }
  return text;
}

/// Behind "the answer is" and the like, up to the end of the line or sentence.
std::string behind_phrases(std::string text) {
  for (const char* phrase :
       {"the final answer is", "the answer is", "the correct answer is", "the answer should be"}) {
    for (const std::string& form : {std::string(phrase), "The" + std::string(phrase).substr(3)}) {
      const bool said = contains(text, form);
      text = strip(last_part(text, form));
      if (said) text = split(split(text, "\n").front(), ". ").front();
    }
  }
  return text;
}

std::string final_answer(const std::string& response) {
  std::string text = bare_letter(strip(response));
  const std::string last = rstrip(last_part(text, "is "), ".");
  if (to_float(last)) text = last;
  if (!contains(text, "oxed{"))
    text = behind_phrases(text);
  else if (split(text, "oxed{").size() > 2)
    text = "\\boxed{" + last_part(text, "oxed{");
  std::string answer = normalise_latex(text);
  for (const auto& [open, close] : {std::pair('(', ')'), std::pair('{', '}')}) {
    for (const char c : {'a', 'b', 'c', 'd', 'e'})
      answer = replace_all(answer, std::string{open, c, close}, std::string(1, c));
  }
  return strip(lstrip(rstrip(answer, "."), ":"));
}

/// DIFFERS: the official module never imports the LaTeX reader that its comparison of values needs.
bool equal(const std::string& truth, const std::string& found, Defects defects) {
  const std::string a = lower(truth), b = lower(found);
  if (replace_all(a, " ", "").empty() || replace_all(b, " ", "").empty()) return false;
  if (strip(a) == strip(b)) return true;
  return defects == Defects::kFixed && equal_values(a, b);
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  const std::string found = final_answer(response);
  const std::string truth = item.ground_truth.get<std::string>();
  Verdict verdict;
  verdict.prediction = response;
  verdict.judged = found;
  bool right = equal(truth, found, scoring.defects);
  const size_t option = truth.size() == 1 ? static_cast<size_t>(truth[0] - 'A') : item.options.size();
  if (option < item.options.size()) right = right || equal(item.options[option], found, scoring.defects);
  verdict.score = right ? 1 : 0;
  return verdict;
}

}  // namespace

Benchmark mathvision() {
  Benchmark benchmark;
  benchmark.name = "MathVision";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"MathVision test", {"Overall"}, 15.5, 26.2, "14.7 InternVL2.5", "19.7 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
