// The schedule: one multiplier for the learning rates of all groups.
#pragma once

#include <cstdint>
#include <string>

#include "train/train_config.h"

namespace vl3::train {

class LrSchedule {
 public:
  /// @param steps  optimizer steps of the whole run.
  /// @throws Error(kInvalidArgument) for an unknown lr_scheduler_type (naming the known ones) or a ratio
  /// outside
  ///   [0, 1].
  LrSchedule(const OptimizerConfig& config, int64_t steps);

  /// Of optimizer step `step`, counted from 0. Warm-up climbs from 0 over ceil(warmup_ratio * steps) steps,
  /// so the first step of a run with warm-up has multiplier 0. Source: transformers'
  /// get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup, get_constant_schedule_with_warmup,
  /// get_wsd_schedule (linear decay).
  double multiplier(int64_t step) const;

  int64_t warmup_steps() const { return warmup_; }

  /// @throws Error(kInvalidArgument) where every step's multiplier is 0: such a run would train nothing.
  void check_trains() const;

 private:
  enum class Shape { kCosine, kLinear, kConstant, kWsd };
  Shape shape_;
  int64_t steps_, warmup_, decay_;
};

}  // namespace vl3::train
