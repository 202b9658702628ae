// One optimizer step: forward and backward of the rows of an accumulation window, gradients summed over rows
// and processes, one division by the labelled tokens of all of them, clipping, update. Source:
// spec/training.md 7, 8.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <span>
#include <string>

#include "data/packed_row.h"
#include "train/dist/collective.h"
#include "train/lora.h"
#include "train/metrics.h"
#include "train/tensor_files.h"
#include "train/train_config.h"
#include "weights/checkpoint.h"

namespace vl3::train {

/// What one step reports. Sums are over all processes.
struct StepLog {
  int64_t step = 0;  ///< from 1
  double loss = 0;   ///< mean over labelled tokens
  int64_t labelled_tokens = 0;
  int64_t tokens = 0;
  double grad_norm = 0;                               ///< of the mean loss, before clipping
  std::map<std::string, double> grad_norm_per_group;  ///< by part_name()
  AnswerScores answers;                               ///< of this process, by kind of question
  std::map<std::string, double> lr;                   ///< used by this step
};

class TrainStep {
 public:
  /// Loads the model for training: what trains as copies in flat buckets, frozen parts as they lie in the
  /// checkpoint. With config.lora the parts that have adapters train nothing else; their learning rates are
  /// the adapters'.
  /// @param total_steps  of the run: the schedule's length.
  /// @param collective  outlives this object.
  /// @throws Error(kInvalidArgument) when nothing would train, for a learning rate that is not above 0, a
  /// dtype other than float32 and bfloat16; what Optimizer, LrSchedule and lora_linears() refuse.
  TrainStep(std::shared_ptr<const weights::Checkpoint> checkpoint, const TrainConfig& config,
            int64_t total_steps, at::Device device, Collective& collective);
  ~TrainStep();

  /// Trains on this process's rows of one accumulation window (it may have none while others do) and moves on
  /// by one step. Every process calls it.
  /// @throws Error(kInvalidArgument) when no token of any process is labelled; Error(kCorrupt) naming the
  /// samples when a loss or the gradient is not finite. Weights and optimizer are then untouched, on every
  /// process.
  StepLog step(std::span<const data::PackedRow> rows);

  struct Loss {
    double sum = 0;
    int64_t labelled_tokens = 0;
  };
  /// Loss without gradients, of this process's rows.
  Loss evaluate(std::span<const data::PackedRow> rows);

  /// Mean gradient of this process's rows by canonical name, float32; nothing is updated. For checks.
  std::map<std::string, at::Tensor> gradients(std::span<const data::PackedRow> rows, Loss* loss);

  int64_t steps_done() const;

  /// Everything beside the weights that the next step depends on, the same for any number of processes:
  /// "step" int64 [1], what Optimizer::state() gives, and kPatchHead where there is one. Every process gets
  /// all of them, in order.
  std::vector<LazyTensor> state();
  /// Goes on from what state() gave, with the weights of the same moment already in the checkpoint this was
  /// built from.
  /// @throws Error(kCorrupt) naming a missing or misshapen tensor.
  void load_state(const std::map<std::string, at::Tensor>& state);

  /// Every parameter of the model under its canonical name in the dtype of compute (adapters not among them):
  /// frozen ones as they are, others as they are now. Views: valid until the next step.
  std::map<std::string, at::Tensor> weights() const;
  /// The same with the adapters merged in, each when its turn comes.
  std::vector<LazyTensor> merged_weights() const;

  /// The adapters as they are now; to be written with write_adapter(). @throws Error(kInvalidArgument)
  /// without LoRA.
  AdapterFiles adapter() const;
  /// With LoRA: what trains whole beside the adapters, as it is in a later checkpoint of the run.
  void load_trained(const std::shared_ptr<const weights::Checkpoint>& later);
  /// Goes on from an adapter of the same targets and rank. @throws Error(kCorrupt) for missing or misshapen
  /// tensors.
  void load_adapter(const AdapterFiles& adapter);

  struct Memory {
    int64_t trained_parameters = 0;
    int64_t weight_bytes = 0;     ///< trained weights in the dtype of compute
    int64_t gradient_bytes = 0;   ///< float32 sums
    int64_t optimizer_bytes = 0;  ///< masters and moments of this process
  };
  Memory memory() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vl3::train
