#include "quantize/rounding.h"

#include "support/tensors.h"

namespace vl3::quantize {
namespace {

constexpr weights::QuantScheme kInt8{.bits = 8, .group = 0}, kInt4{.bits = 4, .group = 32};

at::Tensor random_weight(int64_t O, int64_t I) {
  at::manual_seed(7);
  at::Tensor weight = at::randn({O, I}) * 0.02;
  weight.index_put_({3, 5}, 0.3);  // what clipping is for
  weight.select(0, 4).zero_();
  return weight;
}

TEST(Rounding, NearestIsWithinHalfAStep) {
  const at::Tensor weight = random_weight(24, 64);
  for (const auto& scheme : {kInt8, kInt4}) {
    const Rounded rounded = round_nearest(weight, scheme, at::kFloat);
    ASSERT_EQ(rounded.scale.sizes(), at::IntArrayRef({24, scheme.bits == 8 ? 1 : 2}));
    EXPECT_LE(rounded.values.abs().max().item<int>(), scheme.bits == 8 ? 127 : 8);
    const int64_t group = 64 / rounded.scale.size(1);
    const at::Tensor steps = rounded.scale.repeat_interleave(group, 1);
    // The greatest 4-bit value is 7 of 7.5 steps: that end is cut by half a step.
    EXPECT_LE(((rounded.dequantised() - weight).abs() / steps).max().item<float>(), 0.5001) << scheme.bits;
    EXPECT_TRUE(rounded.dequantised().select(0, 4).eq(0).all().item<bool>());
  }
}

TEST(Rounding, ScalesAreNumbersOfTheirDtype) {
  const at::Tensor weight = random_weight(24, 64);
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    for (const Rounded& rounded :
         {round_nearest(weight, kInt8, dtype), round_clipped(weight, kInt4, dtype, {}),
          *round_gptq(weight, kInt4, dtype, at::eye(64))}) {
      EXPECT_TRUE(rounded.scale.to(dtype).to(at::kFloat).equal(rounded.scale));
    }
  }
}

double error_of(const at::Tensor& weight, const Rounded& rounded, const at::Tensor& inputs) {
  return inputs.matmul((rounded.dequantised() - weight).t()).norm().item<double>();
}

TEST(Rounding, ClippingNeverCostsMoreByItsOwnMeasure) {
  const at::Tensor weight = random_weight(24, 64), importance = at::rand({64}) + 0.01;
  for (const auto& scheme : {kInt8, kInt4}) {
    const auto cost = [&](const Rounded& rounded) {
      return ((rounded.dequantised() - weight).square() * importance).sum().item<double>();
    };
    EXPECT_LE(cost(round_clipped(weight, scheme, at::kFloat, importance)),
              cost(round_nearest(weight, scheme, at::kFloat)));
  }
  EXPECT_LT(error_of(weight, round_clipped(weight, kInt4, at::kFloat, {}), at::eye(64)),
            0.97 * error_of(weight, round_nearest(weight, kInt4, at::kFloat), at::eye(64)));
}

TEST(Rounding, GptqMakesUpForItsErrorsOnInputsThatGoTogether) {
  at::manual_seed(3);
  const at::Tensor mixing = at::randn({256, 256}) / 16, weight = at::randn({40, 256}) * 0.02;
  // More inputs than a block has columns, so that errors pass from block to block.
  const at::Tensor seen =
      at::randn({2000, 24}).matmul(mixing.narrow(0, 0, 24)) + 0.05 * at::randn({2000, 256});
  const at::Tensor moment = seen.t().matmul(seen) / 2000;
  const auto gptq = round_gptq(weight, kInt4, at::kFloat, moment);
  ASSERT_TRUE(gptq);
  EXPECT_LT(error_of(weight, *gptq, seen),
            0.5 * error_of(weight, round_clipped(weight, kInt4, at::kFloat, moment.diagonal()), seen));
}

TEST(Rounding, GptqOfIndependentInputsIsPlainRounding) {
  const at::Tensor weight = random_weight(24, 64);
  const auto gptq = round_gptq(weight, kInt4, at::kFloat, at::eye(64));
  ASSERT_TRUE(gptq);
  const Rounded clipped = round_clipped(weight, kInt4, at::kFloat, {});
  EXPECT_TRUE(gptq->values.equal(clipped.values));
  EXPECT_TRUE(test::close(gptq->scale, clipped.scale, 0));
  EXPECT_FALSE(round_gptq(weight, kInt4, at::kFloat, at::zeros({64, 64})));
}

}  // namespace
}  // namespace vl3::quantize
