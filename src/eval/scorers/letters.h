// Option letters in answers, as the official parsers find them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/benchmark.h"

namespace vl3::eval {

/// The answer without every "answer", then "Answer": what the parsers look at.
std::string without_answer_word(std::string_view response);

/// "A", "B", … for an index.
std::string letter(size_t index);

/// Index of the first capital letter among the first `count`.
std::optional<size_t> first_letter(std::string_view body, size_t count);

/// What a parser takes along with the letter before it strips blanks, then brackets. The official code then
/// wants to find the letter alone, and fails otherwise.
enum class LetterContext {
  kCommas,    ///< brackets, blanks, commas: "(B), as" fails (mvbench, mlvu, nextqa)
  kBrackets,  ///< brackets, blanks: only "( B )" fails (egoschema, AI2D)
  kNone,      ///< the letter only
};

/// Whether the official code fails on the letter that first_letter() finds.
bool letter_fails(std::string_view body, size_t count, LetterContext context);

/// Index of the first option that occurs in the body, letter case aside; each without outer blanks, then
/// dots.
std::optional<size_t> option_in(std::string_view body, const std::vector<std::string>& options);

/// "Question: …\nOptions:\n(A) …\n": the questions of mvbench, mlvu, nextqa, perception_test.
std::string lettered_question(const std::string& question, const std::vector<std::string>& options);

inline constexpr const char* kBestOption =
    "Answer with the option's letter from the given choices directly and only give the best option.";

/// Score 1 where the prediction is the truth.
Verdict exact(Json prediction, const Item& item);

}  // namespace vl3::eval
