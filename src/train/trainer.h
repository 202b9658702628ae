// A recipe's run from its first step to its last: data, steps, checkpoints, metrics. The same code in one
// process and in many; every process calls train() with the same arguments. Nothing is printed here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "train/metrics.h"
#include "train/train_config.h"

namespace vl3::train {

/// What a caller may watch, on the process that writes (rank 0); every member may be empty.
struct TrainHooks {
  /// After every step. @param first_step  the step that this process began with; 0 for a fresh run.
  std::function<void(const StepMetrics&, int64_t total_steps, int64_t first_step)> on_step;
  /// A line for people: what was resumed, where a checkpoint lies.
  std::function<void(const std::string&)> on_note;
};

enum class RunEnd {
  kFinished,     ///< all steps are done; the final model lies in the run's folder
  kStopped,      ///< a signal ended it, after a checkpoint of what was done
  kNothingToDo,  ///< it had finished before
};

struct TrainReport {
  RunEnd end = RunEnd::kFinished;
  std::filesystem::path output;  ///< folder of the run
  int64_t steps = 0;             ///< done, those before a resume included
  int64_t total_steps = 0;
  int64_t bad_samples = 0;  ///< of all processes, those before a resume included
  double last_loss = 0;     ///< of the last step of this call; 0 without one
  bool writes = false;      ///< this is the process that writes (rank 0)
};

/// @param resume  "auto", "never" or a checkpoint's folder: see find_resume_point().
/// @throws Error as resolve_model(), finished_steps(), find_resume_point(), open_mixture(), Loader, TrainStep
///   and CheckpointStore; Error(kInvalidArgument) where the run's length is not known: max_steps is then
///   needed; Error(kCorrupt) when too many samples are bad. An error of one process ends all of them with the
///   same error.
TrainReport train(const TrainConfig& config, const std::string& resume, const TrainHooks& hooks = {});

}  // namespace vl3::train
