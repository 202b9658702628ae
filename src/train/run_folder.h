// The folder of a run: who may write into it, and which checkpoints it holds.
//
//   runs/NAME/.lock                 held (flock) while a process trains into the folder
//   runs/NAME/recipe.toml           what really runs, defaults included
//   runs/NAME/train_log.jsonl       a line a logged step; tensorboard/ the same as event files
//   runs/NAME/checkpoint-N/         whole after N steps: a model folder, optimizer.safetensors,
//   trainer_state.json runs/NAME/abandoned-checkpoint-N/  of a run that went on from an earlier step
//   runs/NAME/config.json …         the final model, once finished.json lies beside it
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vl3::train {

inline constexpr const char* kRecipeFile = "recipe.toml";
inline constexpr const char* kLogFile = "train_log.jsonl";
inline constexpr const char* kFinishedFile = "finished.json";
inline constexpr const char* kModelFiles = "model-files";  ///< where ModelFiles puts its own together

struct CheckpointPlace {
  int64_t step = 0;
  std::filesystem::path path = {};
};

/// The folders named checkpoint-N, lowest step first; whether they are whole is not looked at. None of a
/// missing folder.
std::vector<CheckpointPlace> list_checkpoints(const std::filesystem::path& run);

/// Whether a folder is a run's that has not ended: what model lies in it, if any, is an earlier one.
bool is_unfinished_run(const std::filesystem::path& folder);

/// fsync of a file, or of a folder, so that the names in it survive a power cut; a file system that cannot is
/// left alone.
void sync(const std::filesystem::path& path);

/// Held by the one process that writes (rank 0). Not thread-safe.
class RunFolder {
 public:
  /// Makes the folder and locks it.
  /// @throws Error(kInvalidArgument) naming the process that holds it, or where the folder cannot be made.
  explicit RunFolder(std::filesystem::path path);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Removes what an interrupted process of this run left: half-written and half-deleted parts. Of a folder
  /// that no run has begun in, nothing.
  void remove_debris() const;

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace vl3::train
