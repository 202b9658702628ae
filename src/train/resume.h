// Where a run begins: from its model, from a checkpoint, or not at all because it is finished. No torch here.
// Used by the one process that writes (rank 0).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/run_folder.h"
#include "train/train_config.h"
#include "train/trainer_state.h"

namespace vl3::train {

struct ResumePoint {
  std::filesystem::path folder;
  TrainerState state;
  std::vector<std::string> changed =
      {};  ///< keys of the recipe, as changed_keys(); only for a folder by name
};

/// What `--resume` means: "auto" = the newest whole checkpoint, if any; "never" = from the start; else a
/// folder. A checkpoint that is not whole is passed over with a warning. Nothing is changed.
/// @throws Error(kInvalidArgument) for "never" where the folder holds checkpoints, for "auto" where the
///   recipe gives other numbers than the checkpoint's, and where it holds abandoned checkpoints only;
///   Error(kCorrupt) where none of them is whole; as verify_checkpoint() for a folder.
std::optional<ResumePoint> find_resume_point(const RunFolder& run, const TrainConfig& config,
                                             const std::string& resume);

/// Renames the checkpoints after `step` to abandoned-checkpoint-N, so that they are not mistaken for steps of
/// the run that goes on from there. For when nothing else can keep it from going on.
void abandon_later_checkpoints(const RunFolder& run, int64_t step);

/// Steps of a run that has finished, nullopt for one that has not; asked before find_resume_point(). Only
/// "auto" finds it: a folder by name trains on from there.
/// @throws Error(kInvalidArgument) for "never", and for "auto" where the recipe gives other numbers.
std::optional<int64_t> finished_steps(const RunFolder& run, const TrainConfig& config,
                                      const std::string& resume);

/// Writes finished.json, once the final model lies in the folder.
void mark_finished(const RunFolder& run, const TrainerState& state);
/// The run goes on.
void unmark_finished(const RunFolder& run);

}  // namespace vl3::train
