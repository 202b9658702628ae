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

struct TrainReport {
  std::filesystem::path output;  ///< folder of the run; the final model lies in it when `finished`
  int64_t steps = 0;             ///< done, those before a resume included
  int64_t total_steps = 0;
  int64_t bad_samples = 0;  ///< of this process and run
  double last_loss = 0;     ///< of the last step of this process; 0 without one
  bool writes = false;      ///< this is the process that writes (rank 0)
  bool finished = false;    ///< false: a signal ended it, after a checkpoint
};

/// @param resume  "auto", "never" or a checkpoint's folder: see find_resume_point().
/// @throws Error as resolve_model(), open_mixture(), Loader, TrainStep and CheckpointStore;
/// Error(kInvalidArgument) where
///   the run's length is not known: max_steps is then needed.
TrainReport train(const TrainConfig& config, const std::string& resume, const TrainHooks& hooks = {});

}  // namespace vl3::train
