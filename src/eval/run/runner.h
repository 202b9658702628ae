// Asks every question of the chosen benchmarks once, in this process's share of the media, and scores all of
// them. What was answered before is in the journal and is not asked again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eval/benchmark.h"
#include "eval/run/answerer.h"
#include "eval/run/frames.h"
#include "eval/run/journal.h"

namespace vl3::eval {

struct Task {
  const Benchmark* benchmark = nullptr;
  std::filesystem::path root;
  Dataset data;
  size_t all_items = 0;           ///< before a limit
  std::vector<std::string> keys;  ///< question_key() of each item
};

Task make_task(const Benchmark& benchmark, const std::filesystem::path& root, Dataset data);

/// The folder of a benchmark below the data root: its own name, or the root itself for a single benchmark.
std::filesystem::path root_of(const Benchmark& benchmark, const std::filesystem::path& data_root,
                              bool single);

/// Reads the benchmark's files. @param limit  only so many items from the beginning
Task load_task(const Benchmark& benchmark, const std::filesystem::path& root, Defects defects,
               std::optional<int64_t> limit);

struct RunOptions {
  std::filesystem::path output;
  Sampling sampling;
  OrderedJson settings;  ///< what answers depend on besides the answerer's identity
  int64_t rank = 0, world_size = 1;
  double wait_s = 600;       ///< for another process that is not at work and has questions left
  double retry_wait_s = 30;  ///< likewise, and has questions that failed in an earlier run
};

struct RunProgress {
  std::string task;
  int64_t done = 0, total = 0;  ///< questions of this process's share, of all tasks
  int64_t failed = 0;
  double score = 0;  ///< mean in percent of this task's answers of this run so far, rules only
  std::optional<double> left_s;
};

struct RunHooks {
  std::function<void(const RunProgress&)> on_progress;
  std::function<void(const std::string&)> on_note;  ///< a line for people
  std::function<bool()> cancelled;
};

/// Answers this process's share: every world_size-th group of questions from `rank` on.
/// Failed questions are asked again by the next run. @throws Error(kCancelled), FatalError.
void answer_share(const std::vector<Task>& tasks, Answerer& answerer, const RunOptions& options,
                  const RunHooks& hooks);

/// Waits until every question has an answer or a failure, then gives them all. For rank 0.
/// @throws Error(kInternal) when a process with questions left is gone.
Records collect(const std::vector<Task>& tasks, const RunOptions& options, const RunHooks& hooks);

/// A task's verdicts, in the order of its items; of questions without an answer, too.
struct ScoredTask {
  const Task* task = nullptr;
  std::vector<Record> records;
  std::vector<Verdict> verdicts;
  std::vector<Scored> scored;
  int64_t failed = 0;    ///< questions without an answer
  int64_t unparsed = 0;  ///< answers that the parser made nothing of
  int64_t judge_missing = 0;
  int64_t not_judged = 0;  ///< of these, those that a judge was asked about
  int64_t cut = 0;         ///< answers that ended at the limit of tokens
};

/// The benchmark's score; an answer that its rules cannot take at all (too long) is a failure.
/// @throws FatalError when a judge is needed and cannot be reached.
Verdict score_answer(const Benchmark& benchmark, const Item& item, const std::string& response,
                     const Scoring& scoring);

ScoredTask score_task(const Task& task, const Records& records, const Scoring& scoring,
                      const RunHooks& hooks = {});

/// Files that the items name and that are not there, each once: media, and subtitles that every item needs;
/// the folder of those that some videos have.
std::vector<std::string> missing_media(const Task& task);

}  // namespace vl3::eval
