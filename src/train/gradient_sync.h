// Sums gradients over the micro-batches of an accumulation window, then over processes: bucket by bucket,
// while backward of the window's last row still runs.
#pragma once

#include <memory>
#include <vector>

#include "train/dist/collective.h"
#include "train/parameter_store.h"

namespace vl3::train {

class GradientSync {
 public:
  /// Hooks every trainable parameter of the store; both outlive this object.
  GradientSync(ParameterStore& store, Collective& collective);
  ~GradientSync();
  GradientSync(const GradientSync&) = delete;
  GradientSync& operator=(const GradientSync&) = delete;

  /// Forgets all sums. Called before the first row of a window.
  void begin_window();
  /// From here on a bucket whose gradients are complete is sent off at once. Called before backward of the
  /// last row.
  void begin_last_row() { last_row_ = true; }
  /// Sends what is left and waits. Afterwards shard(b) holds this process's part of the sum over rows and
  /// processes.
  void finish_window();

  /// float32 [bucket.size / world_size]: the part of bucket b's gradients that this process owns.
  const at::Tensor& shard(size_t bucket) const { return state_[bucket].shard; }

 private:
  struct Hook;
  struct BucketState {
    at::Tensor shard;
    size_t missing = 0;  ///< parameters whose gradient of the last row is still to come
    std::unique_ptr<Pending> pending;
  };

  void receive(size_t parameter, const at::Tensor& weight);
  void launch_ready();
  void launch(size_t bucket);

  ParameterStore* store_;
  Collective* collective_;
  std::vector<BucketState> state_;
  std::vector<bool> written_;  // a parameter's sum holds something of this window
  size_t next_ = 0;            // buckets before it are launched: the same order on every process
  bool last_row_ = false;
};

}  // namespace vl3::train
