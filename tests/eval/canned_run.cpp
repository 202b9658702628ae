#include "eval/canned_run.h"

namespace vl3::eval {
namespace {

/// Gives the canned reply of the item that is being scored.
class CannedJudge : public Judge {
 public:
  std::string reply;

 private:
  std::string reply_to(const JudgeRequest&) override { return reply; }
};

}  // namespace

ScoredRun score_run(const Benchmark& benchmark, const Dataset& data, const Json& responses, Defects defects) {
  ScoredRun run;
  std::vector<size_t> cluster(data.items.size());
  for (size_t g = 0; g < data.groups.size(); ++g) {
    for (const size_t i : data.groups[g]) cluster[i] = g;
  }
  CannedJudge judge;
  for (size_t i = 0; i < data.items.size(); ++i) {
    const Json& response = responses.at(i);
    const bool judged = response.contains("judge_reply");
    if (judged) judge.reply = response["judge_reply"].get<std::string>();
    run.verdicts.push_back(benchmark.score(data.items[i], response["text"].get<std::string>(),
                                           {defects, judged ? &judge : nullptr}));
  }
  for (size_t i = 0; i < data.items.size(); ++i)
    run.scored.push_back({&data.items[i], &run.verdicts[i], cluster[i]});
  return run;
}

}  // namespace vl3::eval
