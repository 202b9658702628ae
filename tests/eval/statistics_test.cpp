#include "eval/run/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace vl3::eval {
namespace {

TEST(Statistics, McNemarIsTheBinomialTail) {
  EXPECT_DOUBLE_EQ(mcnemar(0, 0), 1);
  EXPECT_DOUBLE_EQ(mcnemar(5, 5), 1);
  EXPECT_NEAR(mcnemar(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar(1, 9), 2 * (1 + 10) / 1024.0, 1e-12);
  EXPECT_DOUBLE_EQ(mcnemar(3, 8), mcnemar(8, 3));
}

TEST(Statistics, SignTestAgreesWithCounting) {
  EXPECT_DOUBLE_EQ(sign_test({}), 1);
  EXPECT_DOUBLE_EQ(sign_test({0, 0, 0}), 1);
  // Of the 2^6 sign choices of six ones, two are as far from 0 as all of one sign.
  EXPECT_NEAR(sign_test({1, 1, 1, 1, 1, 1}), 2.0 / 64, 0.006);
  EXPECT_EQ(sign_test({1, 2, 3}), sign_test({-1, -2, -3}));
}

TEST(Statistics, BootstrapOfAMeanHasItsStandardError) {
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(i % 2);
  const auto spread =
      bootstrap(values.size(), [&](const std::vector<size_t>& drawn) -> std::optional<double> {
        double sum = 0;
        for (const size_t i : drawn) sum += values[i];
        return sum / static_cast<double>(drawn.size());
      });
  ASSERT_TRUE(spread);
  EXPECT_NEAR(spread->deviation, 0.5 / std::sqrt(400), 0.003);
  EXPECT_NEAR(spread->low, 0.5 - 1.96 * 0.025, 0.01);
  EXPECT_NEAR(spread->high, 0.5 + 1.96 * 0.025, 0.01);
  EXPECT_FALSE(bootstrap(1, [](const auto&) { return std::optional(1.0); }));
  EXPECT_FALSE(bootstrap(9, [](const auto&) { return std::optional<double>(); }));
}

}  // namespace
}  // namespace vl3::eval
