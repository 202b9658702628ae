// What a recipe needs before anything runs: parameters trained, tokens a step, memory per process for several
// process counts, work and time. Pure arithmetic on the recipe and the model's config; the formulas are in
// docs/guides/training.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "train/train_config.h"
#include "weights/model_config.h"

namespace vl3::train {

struct PartPlan {
  std::string name = {};  ///< "vision_encoder", "mm_projector", "llm", "lora"
  int64_t tensors = 0, parameters = 0;
  bool trained = false;
  int64_t moment_values = 0;  ///< of the optimizer: 2 a parameter for AdamW, 1 for Muon's matrices
};

/// Bytes of one of `processes` processes at the peak of a step.
struct TrainMemory {
  int64_t processes = 1;
  uint64_t weights = 0;      ///< all parts, in the dtype of compute
  uint64_t gradients = 0;    ///< of the trained parts, float32 sums, and a share of those of all processes
  uint64_t masters = 0;      ///< float32 copies where compute is bfloat16; sharded (ZeRO-1)
  uint64_t moments = 0;      ///< sharded
  uint64_t activations = 0;  ///< of one full row, as gradient_checkpointing says
  uint64_t logits = 0;       ///< one tile of the vocabulary and its gradient, float32
  uint64_t total() const { return weights + gradients + masters + moments + activations + logits; }
};

/// Means of a run's samples, as measure_samples() (train/run_data.h) builds them.
struct SampleMeans {
  int64_t samples = 0;       ///< that were looked at
  double tokens = 0;         ///< after pruning and the cut
  double visual = 0;         ///< of these
  double labelled = 0;       ///< of these
  double patches = 0;        ///< that the encoder reads
  double frame_patches = 0;  ///< of one image or frame
};

struct PlanInputs {
  std::optional<int64_t> samples = {};            ///< of one epoch, weights applied
  std::optional<SampleMeans> means = {};          ///< unset: every sample is the longest that may be
  std::optional<double> mean_sample_tokens = {};  ///< in place of means->tokens; the shares stay
  std::optional<double> flops_per_s = {};         ///< of one process
  int64_t processes = 1;                          ///< that share the work of a step
};

struct TrainPlan {
  std::vector<PartPlan> parts;
  int64_t trained_parameters = 0, frozen_parameters = 0;
  int64_t row_tokens = 0;            ///< of one forward pass, at most
  int64_t row_visual_tokens = 0;     ///< of these
  int64_t row_patches = 0;           ///< that the encoder reads for them
  double step_tokens = 0;            ///< over all processes
  bool step_tokens_known = false;    ///< false: an upper limit, for want of the mean length of a sample
  std::optional<SampleMeans> means;  ///< what step_tokens and the time go by
  std::optional<int64_t> steps;
  std::vector<TrainMemory> memory;  ///< for 1, 2, 4 … 64 processes
  uint64_t activations_with_checkpointing = 0;
  uint64_t activations_without_checkpointing = 0;
  double flops_per_token = 0;  ///< forward, backward and recomputation: of mean samples, or of a full row
  std::optional<double> step_seconds, run_seconds;  ///< of the matrix products alone: a lower limit
  /// Main memory of each process beside `memory`: for samples that wait (data.prefetch_bytes, or a whole step
  /// where that is known to be more), and for those of the step that is being trained (0: not known).
  uint64_t prefetch_bytes = 0, step_bytes = 0;
  std::vector<std::string> refusals;  ///< why the run would not begin: check_batch(), check_trains()
};

/// Of an epoch. @throws Error(kInvalidArgument) where one step would take more: the rest could only be
/// repeated within it.
void check_batch(const TrainConfig& config, int64_t records_per_epoch);

/// @throws Error(kInvalidArgument) as lora_linears().
TrainPlan make_train_plan(const TrainConfig& config, const weights::ModelConfig& model,
                          const PlanInputs& inputs = {});

OrderedJson to_json(const TrainPlan& plan);
/// A table for people.
std::string plan_text(const TrainPlan& plan);

/// Entries of the recipe's annotation files in one epoch, weights applied.
struct SampleCount {
  int64_t samples = 0;
  std::vector<std::string> missing;    ///< files that are not there
  std::vector<std::string> uncounted;  ///< tars: their entries are known only after reading them whole
};
/// @throws as data::AnnotationFile: what training would refuse.
SampleCount count_samples(const DataConfig& config);

}  // namespace vl3::train
