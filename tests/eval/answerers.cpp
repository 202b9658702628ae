#include "eval/answerers.h"

#include <fmt/format.h>

#include "core/hash.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"

namespace vl3::eval {
namespace {

class FunctionSession : public AnswerSession {
 public:
  explicit FunctionSession(const FunctionAnswerer::Function& function) : function_(function) {}
  Reply ask(const Conversation& conversation) override {
    Reply reply;
    reply.text = function_(conversation.back().parts.back().text);
    reply.finish_reason = "stop";
    return reply;
  }

 private:
  const FunctionAnswerer::Function& function_;
};

Verdict score(const Item& item, const std::string& response, const Scoring&) {
  const auto found = first_letter(response, 4);
  return found ? exact(letter(*found), item) : no_answer("no letter");
}

}  // namespace

std::unique_ptr<AnswerSession> FunctionAnswerer::session() {
  return std::make_unique<FunctionSession>(function_);
}

const Benchmark& letter_benchmark() {
  static const Benchmark kBenchmark = [] {
    Benchmark benchmark;
    benchmark.name = "letters";
    benchmark.score = score;
    benchmark.metrics = by_task;
    benchmark.headline = {"Overall"};
    return benchmark;
  }();
  return kBenchmark;
}

Task letter_task(size_t count) {
  Dataset data;
  for (size_t i = 0; i < count; ++i) {
    Item item;
    item.id = i;
    item.task_types = {i % 2 == 0 ? "even" : "odd"};
    item.question = fmt::format("question {}", i);
    item.ground_truth = letter(fnv1a(item.question) % 4);
    item.prompt = {{item.question, -1}};
    data.items.push_back(std::move(item));
    if (i % 3 == 0) data.groups.emplace_back();
    data.groups.back().push_back(i);
  }
  return make_task(letter_benchmark(), "", std::move(data));
}

std::string letter_answer(const std::string& question) {
  const uint64_t hash = fnv1a(question);
  return letter((hash + (hash / 64 % 3 == 0 ? 1 : 0)) % 4);
}

RunOptions run_options(const std::filesystem::path& output, int64_t rank, int64_t world_size) {
  RunOptions options;
  options.output = output;
  options.settings = {{"fps", 1}};
  options.rank = rank;
  options.world_size = world_size;
  return options;
}

}  // namespace vl3::eval
