#include "ops/tiled_cross_entropy.h"

#include "support/temp_dir.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

struct Problem {
  at::Tensor hidden, weight, targets;
};

Problem problem(int64_t N, int64_t V) {
  torch::manual_seed(5);
  return {torch::randn({N, 16}).requires_grad_(), torch::randn({V, 16}).requires_grad_(),
          torch::randint(V, {N})};
}

at::Tensor full(const Problem& p) {
  return torch::nn::functional::cross_entropy(
      p.hidden.matmul(p.weight.t()), p.targets,
      torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
}

TEST(TiledCrossEntropy, EqualsTheFullOneInValueAndGradient) {
  for (const int64_t N : {1, 37, 1500}) {
    const Problem p = problem(N, 103);
    const at::Tensor wanted = full(p);
    const auto wanted_grads = torch::autograd::grad({wanted * 0.3}, {p.hidden, p.weight});
    for (const int64_t tile : {7, 50, 103, 4000}) {
      const at::Tensor found = tiled_cross_entropy(p.hidden, p.weight, p.targets, tile);
      EXPECT_NEAR(found.item<double>() / wanted.item<double>(), 1, 1e-6) << tile;
      const auto grads = torch::autograd::grad({found * 0.3}, {p.hidden, p.weight});
      EXPECT_TRUE(close(grads[0], wanted_grads[0], 1e-5)) << tile;
      EXPECT_TRUE(close(grads[1], wanted_grads[1], 2e-5 * static_cast<double>(N))) << tile;
    }
  }
}

TEST(TiledCrossEntropy, AddsTheWeightsGradientToTheSum) {
  const Problem p = problem(20, 64);
  const auto wanted = torch::autograd::grad({full(p)}, {p.weight});
  const at::Tensor sum = torch::ones({64, 16});
  tiled_cross_entropy(p.hidden, p.weight, p.targets, 10, sum).backward();
  EXPECT_FALSE(p.weight.grad().defined());
  EXPECT_TRUE(close(sum - 1, wanted[0], 1e-4));
}

TEST(TiledCrossEntropy, FrozenWeightGetsNoGradient) {
  Problem p = problem(20, 64);
  p.weight = p.weight.detach();
  const at::Tensor sum = torch::zeros({64, 16});
  tiled_cross_entropy(p.hidden, p.weight, p.targets, 10, sum).backward();
  EXPECT_TRUE(p.hidden.grad().defined());
  EXPECT_EQ(sum.abs().max().item<float>(), 0);
}

TEST(TiledCrossEntropy, LargeLogitsStayFinite) {
  const Problem p = problem(8, 30);
  const at::Tensor hidden = (p.hidden.detach() * 1000).requires_grad_();
  const at::Tensor loss = tiled_cross_entropy(hidden, p.weight, p.targets, 7);
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
  loss.backward();
  EXPECT_TRUE(hidden.grad().isfinite().all().item<bool>());
}

TEST(TiledCrossEntropy, NoTokensIsZero) {
  const Problem p = problem(1, 30);
  EXPECT_EQ(
      tiled_cross_entropy(p.hidden.narrow(0, 0, 0), p.weight, p.targets.narrow(0, 0, 0), 7).item<float>(), 0);
}

TEST(TiledCrossEntropy, BFloat16IsNearFloat32) {
  const Problem p = problem(200, 103);
  const at::Tensor hidden = p.hidden.detach().to(at::kBFloat16).requires_grad_();
  const at::Tensor weight = p.weight.detach().to(at::kBFloat16).requires_grad_();
  const Problem wide{hidden.detach().to(at::kFloat).requires_grad_(),
                     weight.detach().to(at::kFloat).requires_grad_(), p.targets};
  const at::Tensor found = tiled_cross_entropy(hidden, weight, p.targets, 25), wanted = full(wide);
  EXPECT_NEAR(found.item<double>() / wanted.item<double>(), 1, 1e-6);  // logits are float32
  found.backward();
  wanted.backward();
  EXPECT_LE(
      ((hidden.grad().to(at::kFloat) - wide.hidden.grad()).norm() / wide.hidden.grad().norm()).item<float>(),
      0.01);
  EXPECT_LE(
      ((weight.grad().to(at::kFloat) - wide.weight.grad()).norm() / wide.weight.grad().norm()).item<float>(),
      0.01);
}

TEST(TiledCrossEntropy, RefusesATargetOutsideTheVocabulary) {
  const Problem p = problem(3, 30);
  EXPECT_NE(
      test::error_of([&] { tiled_cross_entropy(p.hidden, p.weight, p.targets + 30, 7); }).find("has 30 rows"),
      std::string::npos);
}

}  // namespace
}  // namespace vl3::ops
