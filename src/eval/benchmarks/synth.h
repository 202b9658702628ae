// The generated test set as one more benchmark of `vl3 eval`: the files of `vl3 synth --benchmark`, asked and
// reported on the same way as the paper's, answers judged as `vl3 synth --score` judges them.
#pragma once

#include "eval/benchmark.h"

namespace vl3::eval {

/// "synth": share of right answers by kind, and Overall.
Benchmark synth_benchmark();

}  // namespace vl3::eval
