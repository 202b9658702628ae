#include "eval/scorers/letters.h"

#include <fmt/format.h>

#include "eval/text/python_text.h"

namespace vl3::eval {

std::string without_answer_word(std::string_view response) {
  return replace_all(replace_all(response, "answer", ""), "Answer", "");
}

std::string letter(size_t index) { return std::string(1, static_cast<char>('A' + index)); }

std::optional<size_t> first_letter(std::string_view body, size_t count) {
  for (const char c : body) {
    if (c >= 'A' && static_cast<size_t>(c - 'A') < count) return static_cast<size_t>(c - 'A');
  }
  return std::nullopt;
}

bool letter_fails(std::string_view body, size_t count, LetterContext context) {
  if (context == LetterContext::kNone) return false;
  const bool commas = context == LetterContext::kCommas;
  const std::string_view before = commas ? "(, " : "( ", after = commas ? "), " : ") ";
  size_t at = 0;
  while (at < body.size() && !first_letter(body.substr(at, 1), count)) ++at;
  if (at == body.size()) return false;
  size_t first = at, last = at + 1;
  while (first > 0 && before.find(body[first - 1]) != std::string_view::npos) --first;
  while (last < body.size() && after.find(body[last]) != std::string_view::npos) ++last;
  return strip(strip(body.substr(first, last - first)), "()").size() != 1;
}

std::optional<size_t> option_in(std::string_view body, const std::vector<std::string>& options) {
  const std::string low = lower(body);
  for (size_t i = 0; i < options.size(); ++i) {
    if (contains(low, lower(strip(strip(options[i]), ".")))) return i;
  }
  return std::nullopt;
}

std::string lettered_question(const std::string& question, const std::vector<std::string>& options) {
  std::string text = "Question: " + question + "\nOptions:\n";
  for (size_t i = 0; i < options.size(); ++i) text += fmt::format("({}) {}\n", letter(i), options[i]);
  return text;
}

Verdict exact(Json prediction, const Item& item) {
  Verdict verdict;
  verdict.score = !prediction.is_null() && prediction == item.ground_truth ? 1 : 0;
  verdict.prediction = std::move(prediction);
  return verdict;
}

}  // namespace vl3::eval
