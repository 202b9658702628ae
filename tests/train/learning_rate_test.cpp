#include "train/learning_rate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "vl3/error.h"

namespace vl3::train {
namespace {

OptimizerConfig shape(const std::string& name) {
  OptimizerConfig config;
  config.lr_scheduler_type = name;
  config.warmup_ratio = 0.03;
  config.decay_ratio = 0.3;
  return config;
}

TEST(LrSchedule, WarmUpIsRoundedUpAndBeginsAtZero) {
  const LrSchedule schedule(shape("cosine"), 40);
  EXPECT_EQ(schedule.warmup_steps(), 2);
  EXPECT_EQ(schedule.multiplier(0), 0);
  EXPECT_EQ(schedule.multiplier(1), 0.5);
  EXPECT_EQ(schedule.multiplier(2), 1);
}

TEST(LrSchedule, Shapes) {
  EXPECT_NEAR(LrSchedule(shape("cosine"), 40).multiplier(21), 0.5 * (1 + std::cos(M_PI * 19 / 38)), 1e-12);
  EXPECT_NEAR(LrSchedule(shape("linear"), 40).multiplier(21), 0.5, 1e-12);
  EXPECT_EQ(LrSchedule(shape("constant"), 40).multiplier(39), 1);
  const LrSchedule wsd(shape("wsd"), 40);
  EXPECT_EQ(wsd.multiplier(28), 1);
  EXPECT_NEAR(wsd.multiplier(34), 0.5, 1e-12);
  EXPECT_NEAR(wsd.multiplier(40), 0, 1e-12);
}

TEST(LrSchedule, WithoutWarmUpBeginsAtOne) {
  OptimizerConfig config = shape("cosine");
  config.warmup_ratio = 0;
  EXPECT_EQ(LrSchedule(config, 10).multiplier(0), 1);
}

TEST(LrSchedule, AtRateZeroThroughoutItTrainsNothing) {
  EXPECT_THROW(LrSchedule(shape("cosine"), 1).check_trains(), Error);
  EXPECT_NO_THROW(LrSchedule(shape("cosine"), 2).check_trains());
  OptimizerConfig all = shape("linear");
  all.warmup_ratio = 1;
  EXPECT_THROW(LrSchedule(all, 1).check_trains(), Error);
  EXPECT_NO_THROW(LrSchedule(all, 2).check_trains());
}

}  // namespace
}  // namespace vl3::train
