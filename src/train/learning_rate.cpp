#include "train/learning_rate.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vl3::train {

LrSchedule::LrSchedule(const OptimizerConfig& config, int64_t steps)
    : shape_(Shape::kCosine),
      steps_(steps),
      warmup_(static_cast<int64_t>(std::ceil(config.warmup_ratio * static_cast<double>(steps)))),
      decay_(static_cast<int64_t>(std::ceil(config.decay_ratio * static_cast<double>(steps)))) {
  VL3_CHECK(steps > 0, kInvalidArgument, "a schedule of {} steps: expected at least 1", steps);
  VL3_CHECK(config.warmup_ratio >= 0 && config.warmup_ratio <= 1, kInvalidArgument,
            "optim.warmup_ratio {}: expected 0 to 1", config.warmup_ratio);
  VL3_CHECK(config.decay_ratio >= 0 && config.decay_ratio <= 1, kInvalidArgument,
            "optim.decay_ratio {}: expected 0 to 1", config.decay_ratio);
  const std::string& name = config.lr_scheduler_type;
  if (name == "cosine") {
    shape_ = Shape::kCosine;
  } else if (name == "linear") {
    shape_ = Shape::kLinear;
  } else if (name == "constant") {
    shape_ = Shape::kConstant;
  } else if (name == "wsd") {
    shape_ = Shape::kWsd;
  } else {
    VL3_FAIL(kInvalidArgument, "optim.lr_scheduler_type \"{}\": choose cosine, linear, constant or wsd",
             name);
  }
}

double LrSchedule::multiplier(int64_t step) const {
  if (step < warmup_) return static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, warmup_));
  const auto after = static_cast<double>(step - warmup_);
  const auto rest = static_cast<double>(std::max<int64_t>(1, steps_ - warmup_));
  switch (shape_) {
    case Shape::kCosine:
      return std::max(0.0, 0.5 * (1.0 + std::cos(M_PI * after / rest)));
    case Shape::kLinear:
      return std::max(0.0, 1.0 - after / rest);
    case Shape::kConstant:
      return 1.0;
    case Shape::kWsd: {
      const int64_t begin = std::max(warmup_, steps_ - decay_);
      if (step < begin) return 1.0;
      return std::max(0.0, static_cast<double>(steps_ - step) /
                               static_cast<double>(std::max<int64_t>(1, steps_ - begin)));
    }
  }
  VL3_FAIL(kInternal, "schedule {}", static_cast<int>(shape_));
}

void LrSchedule::check_trains() const {
  for (int64_t step = 0; step < steps_; ++step) {
    if (multiplier(step) > 0) return;
  }
  VL3_FAIL(
      kInvalidArgument,
      "{} {} at learning rate 0, so nothing would be trained: warm-up begins at 0. Give the run more steps "
      "(smaller global_batch_size, more epochs, max_steps) or set optim.warmup_ratio = 0",
      steps_, steps_ == 1 ? "step" : "steps, all of them");
}

}  // namespace vl3::train
