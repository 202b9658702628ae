#include "ops/linear.h"

#include "ops/dot_bf16.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

class LinearRows : public testing::TestWithParam<int64_t> {};

TEST_P(LinearRows, MatchesTheFloat32ProductOnEveryInstructionSet) {
  torch::manual_seed(1);
  const int64_t rows = GetParam();
  for (const int64_t I : {33, 96, 1152}) {
    const at::Tensor x = torch::randn({rows, I}), bias = torch::randn({70}).to(at::kBFloat16);
    const at::Tensor weight = torch::randn({70, I}).to(at::kBFloat16);
    const at::Tensor wanted = at::linear(x, weight.to(at::kFloat), bias.to(at::kFloat));
    force_bf16_product(Bf16Product::kWidenedTiles);  // what CPUs without bfloat16 arithmetic take
    for (const std::string& name : instruction_sets()) {
      force_instruction_set(name);
      EXPECT_TRUE(close(ops::linear(x, weight, bias), wanted, 2e-4)) << name << " I=" << I;
    }
    force_instruction_set("");
    force_bf16_product(Bf16Product::kOneDnn);
    EXPECT_TRUE(close(ops::linear(x, weight, bias), wanted, 0.02 * std::sqrt(static_cast<double>(I))));
    force_bf16_product(std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LinearRows, testing::Values(1, 2, 3, 4, 5, 7, 8, 9, 40));

TEST(Linear, KeepsLeadingAxesAndGradients) {
  const at::Tensor x = torch::randn({2, 3, 16}).requires_grad_();
  const at::Tensor weight = torch::randn({5, 16}).to(at::kBFloat16).requires_grad_();
  const at::Tensor y = ops::linear(x, weight);
  EXPECT_EQ(y.sizes(), (std::vector<int64_t>{2, 3, 5}));
  y.sum().backward();
  EXPECT_TRUE(x.grad().defined() && weight.grad().defined());
}

}  // namespace
}  // namespace vl3::ops
