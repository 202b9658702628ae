#include "preprocess/token_difference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;
using weights::PreprocessConfig;

TEST(TokenDifference, FastSumEqualsThePlainOne) {
  std::mt19937 random(5);
  std::vector<uint8_t> a(5000);
  std::vector<uint8_t> b(5000);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<uint8_t>(random());
    b[i] = static_cast<uint8_t>(random());
  }
  for (const int64_t size : {0, 1, 15, 16, 31, 33, 196, 588, 2352, 4999}) {
    EXPECT_EQ(sum_abs_differences(a.data() + 1, b.data(), size),
              sum_abs_differences_plain(a.data() + 1, b.data(), size));
  }
  const std::vector<uint8_t> black(2352, 0);
  const std::vector<uint8_t> white(2352, 255);
  EXPECT_EQ(sum_abs_differences(black.data(), white.data(), 2352), 2352u * 255);
}

TEST(TokenDifference, ReleasedThresholdIsTheIntegerRuleOfTheSpec) {
  const TokenDifference merged({}, 2);
  EXPECT_EQ(merged.token_bytes(), 2352);
  EXPECT_EQ(merged.limit(0.1), 117);  // kept from 118 on
  EXPECT_EQ(TokenDifference({}, 1).limit(0.1), 29);
}

TEST(TokenDifference, TiesAreDroppedExactly) {
  const TokenDifference measure({}, 2);
  EXPECT_EQ(measure.limit(1.0), 1176);  // D of 1176 is exactly 1: not above
  EXPECT_EQ(measure.limit(std::nextafter(1.0, 0.0)), 1175);
  EXPECT_EQ(measure.limit(std::nextafter(1.0, 2.0)), 1176);
  EXPECT_EQ(measure.limit(0.0), 0);
}

TEST(TokenDifference, ThresholdForIsTheSmallestThatDrops) {
  for (const int64_t merge : {1, 2}) {
    const TokenDifference measure({}, merge);
    for (int64_t sum = 1; sum < 100'000; sum += 37) {
      const double threshold = measure.threshold_for(static_cast<double>(sum));
      EXPECT_EQ(measure.limit(threshold), sum);
      EXPECT_EQ(measure.limit(std::nextafter(threshold, 0.0)), sum - 1);
    }
    EXPECT_EQ(measure.threshold_for(0.0), 0.0);
  }
}

TEST(TokenDifference, WeightsChannelsByTheirStd) {
  PreprocessConfig config;
  config.patch_size = 1;
  config.image_std = {0.5, 0.25, 1.0};
  const TokenDifference measure(config, 1);
  const std::vector<uint8_t> a = {10, 10, 10};
  const std::vector<uint8_t> b = {11, 12, 14};
  // D = 255 * mean(1/255/0.5, 2/255/0.25, 4/255/1) = (2 + 8 + 4) / 3
  const double sum = measure.sum(a.data(), b.data());
  EXPECT_DOUBLE_EQ(measure.threshold_for(sum), 14.0 / 3);
  EXPECT_GT(sum, measure.limit(4.66));
  EXPECT_LE(sum, measure.limit(4.67));
  EXPECT_DOUBLE_EQ(measure.max_sum(), 255 * (1 + 2 + 0.5));
}

TEST(TokenDifference, RefusesUnusableConfigs) {
  PreprocessConfig config;
  config.image_std = {0.5, 0.5, 0.0};
  EXPECT_NE(error_of([&] { TokenDifference(config, 2); }).find("image_std of 0"), std::string::npos);
  config = {};
  config.rescale_factor = 0;
  EXPECT_NE(error_of([&] { TokenDifference(config, 2); }).find("rescale_factor"), std::string::npos);
  config = {};
  config.patch_size = 1 << 20;
  EXPECT_NE(error_of([&] { TokenDifference(config, 2); }).find("patch_size"), std::string::npos);
  EXPECT_NE(error_of([&] { TokenDifference({}, 2).limit(-0.1); }).find("prune threshold -0.1"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
