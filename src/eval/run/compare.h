// Two runs side by side, question by question. Stateless.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "eval/run/statistics.h"

namespace vl3::eval {

struct TaskComparison {
  std::string task;
  int64_t pairs = 0;
  int64_t only_a = 0, only_b = 0;  ///< questions that the other run lacks
  double mean_a = 0, mean_b = 0;   ///< of the paired questions' scores, in percent
  std::optional<Spread> spread;    ///< of mean_b - mean_a, media drawn with replacement
  int64_t a_better = 0, b_better = 0;
  double p_media = 1;             ///< randomisation test over media
  std::optional<double> p_exact;  ///< McNemar's, where every score is 0 or 1
};

/// Reads the samples that write_results() left in both folders, of every task both have.
/// @throws Error(kNotFound) where they have none in common; Error(kCorrupt) naming file and line.
std::vector<TaskComparison> compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);

std::string comparison_table(const std::vector<TaskComparison>& tasks);
OrderedJson to_json(const std::vector<TaskComparison>& tasks);

}  // namespace vl3::eval
