#include "ops/linear.h"

#include "ops/bf16_product.h"
#include "ops/dot_bf16.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

class LinearRows : public testing::TestWithParam<int64_t> {};

TEST_P(LinearRows, MatchesTheFloat32ProductOnEveryInstructionSet) {
  const torch::NoGradGuard no_grad;
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
    if (cpu_has_avx512_bf16()) {
      // x is rounded, nothing else: the error is that of the rounded inputs.
      force_bf16_product(Bf16Product::kOwnTiles);
      const at::Tensor rounded = at::linear(rows > kStreamedRows ? x.to(at::kBFloat16).to(at::kFloat) : x,
                                            weight.to(at::kFloat), bias.to(at::kFloat));
      EXPECT_TRUE(close(ops::linear(x, weight, bias), rounded, 2e-4)) << "own tiles I=" << I;
    }
    force_bf16_product(std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LinearRows, testing::Values(1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 40, 300));

// Inputs past one block of the kernel's depth, outputs that end inside a tile, activations in the tile.
TEST(OwnTiles, EqualTheFloat32ProductOfRoundedInputs) {
  if (!cpu_has_avx512_bf16()) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  const torch::NoGradGuard no_grad;
  torch::manual_seed(2);
  force_bf16_product(Bf16Product::kOwnTiles);
  const auto rounded = [](const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); };
  for (const int64_t I : {70, 2048, 4500}) {
    const at::Tensor x = torch::randn({3, 25, I}), w = torch::randn({90, I}).to(at::kBFloat16) / std::sqrt(I);
    const at::Tensor w2 = torch::randn({90, I}).to(at::kBFloat16) / std::sqrt(I), b = torch::randn({90});
    const at::Tensor down = torch::randn({33, 90}).to(at::kBFloat16) / 9, b2 = torch::randn({33});
    const at::Tensor y = at::linear(rounded(x), w.to(at::kFloat)),
                     y2 = at::linear(rounded(x), w2.to(at::kFloat));
    EXPECT_TRUE(close(ops::linear(x, w, b), y + b, 1e-4)) << I;
    // What lies between the two products is rounded, too: one place in 256 of values near 1.
    EXPECT_TRUE(close(gelu_mlp(x, w, b, down, b2),
                      at::linear(rounded(at::gelu(y + b, "tanh")), down.to(at::kFloat), b2), 5e-3));
    EXPECT_TRUE(
        close(swiglu_mlp(x, w, w2, down), at::linear(rounded(at::silu(y) * y2), down.to(at::kFloat)), 5e-3));
  }
  force_bf16_product(std::nullopt);
}

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
