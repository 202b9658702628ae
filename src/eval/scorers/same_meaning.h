// The judge that decides whether a short answer means the same as the truth (ChartQA, RealWorldQA).
#pragma once

#include <optional>
#include <string>

#include "eval/benchmark.h"

namespace vl3::eval {

/// Sets score and `judged` by the judge's word, or `judge_missing` without one.
void ask_same_meaning(const std::string& question, const std::string& truth, const std::string& response,
                      Judge* judge, Verdict& verdict);

/// Whether a reply says so: its first word is "true" or "yes", or it says "true" and not "false"; no, where
/// it is the other way round. nullopt for any other reply.
std::optional<bool> says_true(const std::string& reply);

}  // namespace vl3::eval
