// Scores to metrics. Each takes any selection of a benchmark's questions (bootstraps draw some twice); what
// has no question is left out, where the official code divides by zero. Pure.
#pragma once

#include "eval/benchmark.h"

namespace vl3::eval {

/// Mean score in percent of each task type, in order of appearance (a question counts for each it has), and
/// "Overall": of all questions.
Metrics by_task(const std::vector<Scored>& scored);

/// by_task() of each section.
Metrics by_section(const std::vector<Scored>& scored);

/// {key: mean score in percent}.
Metrics single(const std::vector<Scored>& scored, const std::string& key);

/// Sum of scores of each task type and of all ("Overall").
Metrics counts(const std::vector<Scored>& scored);

/// "mIoU" and "R1@0.3", "R1@0.5", "R1@0.7" in percent, of scores that are IoUs.
Metrics grounding(const std::vector<Scored>& scored);

}  // namespace vl3::eval
