// AdamW (or Muon) over the flat buckets, sharded over processes (ZeRO stage 1): each process holds master
// weights and moments of its part of every bucket, updates it, and gathers the new weights from the others.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/dist/collective.h"
#include "train/gradient_sync.h"
#include "train/parameter_store.h"
#include "train/tensor_files.h"

namespace vl3::train {

class Optimizer {
 public:
  /// @throws Error(kInvalidArgument) for an unknown optimizer or a value outside its range;
  /// Error(kUnsupported) for muon on several processes.
  Optimizer(ParameterStore& store, Collective& collective, const OptimizerConfig& config);

  /// Sums of squares of the gradients a part, over all processes.
  std::map<Part, double> squared_norms(const GradientSync& gradients) const;

  /// One update. @param rates  learning rate a part, schedule included. @param gradient_scale  multiplies
  /// gradients.
  /// @param step  from 1.
  void step(const GradientSync& gradients, const LearningRates& rates, double gradient_scale, int64_t step);

  /// Weights changed from outside (an adapter was loaded): the masters follow.
  void refresh_masters();

  /// Full float32 tensors of all processes, on the CPU: "exp_avg.NAME", "exp_avg_sq.NAME" and, where compute
  /// is not float32, "master.NAME". They are views where one process holds all, else they are gathered a
  /// bucket at a time: every process gets all of them, one after the other, before the next step.
  std::vector<LazyTensor> state();
  /// @throws Error(kCorrupt) naming a missing or misshapen tensor.
  void load_state(const std::map<std::string, at::Tensor>& state);

  /// Bytes of masters and moments of this process.
  int64_t state_bytes() const;

 private:
  struct Shard {
    at::Tensor weights;              // [n] compute dtype: this process's part of the bucket
    at::Tensor master;               // [n] float32; `weights` itself when compute is float32
    at::Tensor exp_avg, exp_avg_sq;  // [n] float32; Muon: exp_avg is the momentum, no exp_avg_sq
  };

  void muon_step(const Bucket& bucket, Shard& shard, double lr, double gradient_scale);
  at::Tensor full(const Bucket& bucket, const at::Tensor& shard) const;

  ParameterStore* store_;
  Collective* collective_;
  OptimizerConfig config_;
  std::vector<Shard> shards_;
};

/// The nearest matrix with all singular values about 1: five Newton-Schulz steps. Source: Jordan et al. 2024.
/// @param x [R, C] @param products  dtype of the steps: bfloat16 is enough, as there. @return [R, C] of x's.
at::Tensor orthogonalised(const at::Tensor& x, at::ScalarType products);

}  // namespace vl3::train
