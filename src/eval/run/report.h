// What a run found, for programs and people: results.json in lmms-eval's layout, samples_TASK.jsonl,
// results.md, submissions, and a table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/run/runner.h"
#include "eval/run/statistics.h"

namespace vl3::eval {

struct TaskReport {
  const ScoredTask* scored = nullptr;
  Metrics metrics;   ///< null where there is no number: no public truth, or no word of a judge
  Metrics official;  ///< the same answers scored as the official code was shipped; null likewise
  std::optional<double> headline;
  std::optional<Spread> spread;  ///< of the headline
};

/// @param defects  the policy the verdicts were made with; `official` is scored by rules and the same judge.
TaskReport make_report(const ScoredTask& scored, const Scoring& scoring);

struct RunFacts {
  OrderedJson settings;  ///< model, sampling, limit
  std::string date;      ///< ISO 8601
  double seconds = 0;    ///< of answering, all questions together
};

OrderedJson results_json(const std::vector<TaskReport>& tasks, const RunFacts& facts);
std::string results_markdown(const std::vector<TaskReport>& tasks, const RunFacts& facts);
/// For a terminal: one line a headline, the paper's numbers beside it.
std::string results_table(const std::vector<TaskReport>& tasks);

/// Everything of a run into its folder.
void write_results(const std::vector<TaskReport>& tasks, const RunFacts& facts,
                   const std::filesystem::path& folder);

}  // namespace vl3::eval
