// A golden run: made-up answers, and what the judge is made to say of them.
#pragma once

#include <vector>

#include "eval/benchmark.h"

namespace vl3::eval {

struct ScoredRun {
  std::vector<Verdict> verdicts;
  std::vector<Scored> scored;  ///< points into `verdicts` and the dataset
};

/// @param responses  a list of {id, text, judge_reply?}, in the order of the items
ScoredRun score_run(const Benchmark& benchmark, const Dataset& data, const Json& responses, Defects defects);

}  // namespace vl3::eval
