// Checkpoints of a run: written aside, synced and renamed, so that the newest one is whole whenever the
// process is killed or the disk is full. Tensors come as bytes: no torch here. Used by the one process that
// writes (rank 0).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/run_folder.h"
#include "train/trainer_state.h"
#include "weights/model_config.h"
#include "weights/shard_writer.h"

namespace vl3::train {

/// Everything of the trained model's folder but its weights, read once into memory: what it was copied from
/// may be gone by the time a checkpoint is written.
class ModelFiles {
 public:
  /// @param source  the model that training began with. @param dtype  of the weights to be written.
  /// @param use_token_compression  as trained; inference reads it from the config (spec/training.md 10).
  /// @param scratch  folder in which they are put together, and nothing is left.
  ModelFiles(const weights::ModelConfig& source, weights::DType dtype, bool use_token_compression,
             const std::filesystem::path& scratch);
  void write(const std::filesystem::path& folder) const;
  Flow layout() const { return layout_; }

 private:
  Flow layout_;
  std::map<std::string, std::string> files_;
};

inline constexpr const char* kOptimizerFile = "optimizer.safetensors";

struct CheckpointContents {
  std::vector<weights::OutTensor> weights;    ///< all of the model, canonical names (weights/hf_names.h)
  std::vector<weights::OutTensor> optimizer;  ///< masters and moments under names of the trainer's choice
  TrainerState state;
  std::string recipe;  ///< recipe_toml() of what runs
  /// Adds files of its own (adapters) to the folder; they count as parts of the checkpoint.
  std::function<void(const std::filesystem::path& folder)> write_more = {};
};

class CheckpointStore {
 public:
  /// @param save_total_limit  newest checkpoints kept; older ones are deleted once the new one is whole.
  CheckpointStore(const RunFolder& run, ModelFiles files, int64_t save_total_limit);

  /// Writes checkpoint-STEP.
  /// @return its folder.
  /// @throws Error(kResourceExhausted) for a full disk: the parts written are removed, earlier checkpoints
  /// untouched.
  std::filesystem::path save(const CheckpointContents& contents);

  /// Puts the checkpoint's model (not its optimizer) into the run's own folder as the final one: `vl3 ask`,
  /// transformers and the next stage read it there. Files are linked where the disk can, so that this costs
  /// no space.
  void publish(const std::filesystem::path& checkpoint);

 private:
  std::filesystem::path run_;
  ModelFiles files_;
  int64_t limit_;
};

}  // namespace vl3::train
