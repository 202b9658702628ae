// Two runs side by side, question by question. Stateless.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "eval/run/statistics.h"

namespace vl3::eval {

struct TaskComparison {
  std::string task;
  int64_t pairs = 0;
  int64_t only_a = 0, only_b = 0;      ///< questions that the other run lacks
  int64_t changed = 0;                 ///< of equal ids, but with another prompt, truth or number of media
  int64_t failed_a = 0, failed_b = 0;  ///< of the pairs, those without a usable answer
  double mean_a = 0, mean_b = 0;       ///< of the paired questions' scores, in percent
  std::optional<Spread> spread;        ///< of mean_b - mean_a, media drawn with replacement
  int64_t a_better = 0, b_better = 0;
  double p_media = 1;             ///< randomisation test over media
  std::optional<double> p_exact;  ///< McNemar's, where every score is 0 or 1
};

struct Comparison {
  std::vector<TaskComparison> tasks;                          ///< a task, then its sections
  std::vector<std::pair<std::string, std::string>> left_out;  ///< a task that only one run has, and which
};

/// Reads the samples that write_results() left in both folders, of every task both have.
/// @throws Error(kNotFound) where they have none in common; Error(kCorrupt) naming file and line.
Comparison compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);

std::string comparison_table(const Comparison& comparison);
/// An object a task.
OrderedJson to_json(const Comparison& comparison);

}  // namespace vl3::eval
