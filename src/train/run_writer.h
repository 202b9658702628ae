// What only rank 0 has of a run: its folder with checkpoints, logs, and in the end the final model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/checkpoint.h"
#include "train/event_file.h"
#include "train/metrics.h"
#include "train/resume.h"
#include "train/step_lines.h"
#include "train/train_step.h"

namespace vl3::train {

inline constexpr const char* kAdapterFolder = "adapter";
inline constexpr const char* kBadSamplesFile = "bad_samples.jsonl";

/// What people are told beside an adapter that is not all that was trained; "" where it is.
std::string whole_parts_note(const TrainConfig& config, const AdapterFiles& adapter);

class RunWriter {
 public:
  /// Locks the folder. @param config  outlives this object. @throws as RunFolder.
  explicit RunWriter(const TrainConfig& config) : config_(config), folder_(config.output) {}

  const RunFolder& folder() const { return folder_; }

  /// The run goes on from a step: what was written after it is put aside (checkpoints) or cut off (logs).
  /// Nothing of the folder is changed before.
  void begin(const weights::ModelConfig& model, int64_t resumed_step);

  void log(const StepMetrics& metrics);
  /// @param entry  a line of bad_samples.jsonl.
  void bad_sample(const OrderedJson& entry) { bad_samples_->write(entry); }

  /// @return the checkpoint's folder. @throws as CheckpointStore::save().
  std::filesystem::path save(TrainStep& step, const TrainerState& state);
  /// Makes the checkpoint's model the final one and says that the run has finished.
  void finish(const std::filesystem::path& checkpoint, const TrainerState& state);

 private:
  const TrainConfig& config_;
  RunFolder folder_;
  Flow layout_ = Flow::kNative;
  std::optional<CheckpointStore> store_;
  std::optional<StepLines> log_, bad_samples_;
  std::optional<EventFile> events_;
};

}  // namespace vl3::train
