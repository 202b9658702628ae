// Stand-ins for a model, and a benchmark in memory.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "eval/run/runner.h"

namespace vl3::eval {

/// Answers by a function of the last text of the conversation.
class FunctionAnswerer : public Answerer {
 public:
  using Function = std::function<std::string(const std::string& question)>;
  explicit FunctionAnswerer(Function function, int at_once = 1)
      : function_(std::move(function)), at_once_(at_once) {}
  OrderedJson identity() const override { return {{"model", "stand-in"}}; }
  int at_once() const override { return at_once_; }
  std::unique_ptr<AnswerSession> session() override;

 private:
  Function function_;
  int at_once_;
};

/// `count` questions of letters A to D, three about each medium; text only, so nothing is opened.
const Benchmark& letter_benchmark();
Task letter_task(size_t count);
/// A letter that is right about two times in three; the same for the same question.
std::string letter_answer(const std::string& question);

RunOptions run_options(const std::filesystem::path& output, int64_t rank = 0, int64_t world_size = 1);

}  // namespace vl3::eval
