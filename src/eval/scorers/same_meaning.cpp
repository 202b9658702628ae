#include "eval/scorers/same_meaning.h"

#include "eval/text/python_text.h"

namespace vl3::eval {

std::optional<bool> says_true(const std::string& reply) {
  const std::string low = lower(strip(reply));
  if (low.starts_with("true") || low.starts_with("yes")) return true;
  if (low.starts_with("false") || low.starts_with("no")) return false;
  if (contains(low, "true") == contains(low, "false")) return std::nullopt;
  return contains(low, "true");
}

void ask_same_meaning(const std::string& question, const std::string& truth, const std::string& response,
                      Judge* judge, Verdict& verdict) {
  if (judge == nullptr) {
    verdict.judge_missing = true;
    return;
  }
  const bool same = *says_true(judge->ask(
      {.system =
           "You compare a response to a question with the correct answer. Reply with True where they mean "
           "the same, with False otherwise, and with nothing else.",
       .user = "Question: " + question + "\nCorrect answer: " + truth + "\nResponse: " + response,
       .max_tokens = 16,
       .usable = [](const std::string& reply) { return says_true(reply).has_value(); }}));
  verdict.judged = same;
  verdict.score = same ? 1 : 0;
}

}  // namespace vl3::eval
