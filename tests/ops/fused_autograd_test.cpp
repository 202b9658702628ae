#include "ops/fused_autograd.h"

#include "ops/dot_bf16.h"
#include "ops/rope.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

double off(const at::Tensor& found, const at::Tensor& wanted) {
  return ((found.to(at::kDouble) - wanted.to(at::kDouble)).norm() / wanted.to(at::kDouble).norm())
      .item<double>();
}

// Runs `body(dtype, tolerance)` for every instruction set, in float32 and bfloat16.
template <typename Body>
void everywhere(const Body& body) {
  for (const std::string& name : instruction_sets()) {
    force_instruction_set(name);
    SCOPED_TRACE(name);
    torch::manual_seed(9);
    body(at::kFloat, 2e-6);
    body(at::kBFloat16, 8e-3);
  }
  force_instruction_set("");
}

at::Tensor wide(const at::Tensor& x) { return x.detach().to(at::kDouble).requires_grad_(); }

TEST(FusedRmsNorm, EqualsItsFormulaInValueAndGradient) {
  everywhere([](at::ScalarType dtype, double tolerance) {
    for (const int64_t D : {5, 64, 67}) {
      const at::Tensor x = torch::randn({300, D}).to(dtype).requires_grad_();
      const at::Tensor w = torch::randn({D}).to(dtype).requires_grad_(), weights = torch::randn({300, D});
      const at::Tensor X = wide(x), W = wide(w);
      const at::Tensor found = fused_rms_norm(x, w, 1e-5);
      const at::Tensor wanted = X * torch::rsqrt(X.square().mean(-1, true) + 1e-5) * W;
      EXPECT_LE(off(found, wanted), tolerance) << D;
      const auto grads = torch::autograd::grad({(found * weights.to(dtype)).sum()}, {x, w});
      const auto wanted_grads = torch::autograd::grad({(wanted * weights.to(dtype)).sum()}, {X, W});
      EXPECT_LE(off(grads[0], wanted_grads[0]), tolerance) << D;
      EXPECT_LE(off(grads[1], wanted_grads[1]), tolerance) << D;
    }
  });
}

TEST(FusedRmsNorm, FrozenWeightGetsNoGradient) {
  const at::Tensor x = torch::randn({4, 8}).requires_grad_(), w = torch::randn({8});
  fused_rms_norm(x, w, 1e-6).sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

TEST(Swiglu, EqualsItsFormulaInValueAndGradient) {
  everywhere([](at::ScalarType dtype, double tolerance) {
    for (const int64_t n : {1, 33, 500}) {
      const at::Tensor gate = (torch::randn({3, n}) * 4).to(dtype).requires_grad_();
      const at::Tensor up = torch::randn({3, n}).to(dtype).requires_grad_(), weights = torch::randn({3, n});
      const at::Tensor G = wide(gate), U = wide(up);
      const at::Tensor found = swiglu(gate, up), wanted = torch::silu(G) * U;
      EXPECT_LE(off(found, wanted), tolerance) << n;
      const auto grads = torch::autograd::grad({(found * weights.to(dtype)).sum()}, {gate, up});
      const auto wanted_grads = torch::autograd::grad({(wanted * weights.to(dtype)).sum()}, {G, U});
      EXPECT_LE(off(grads[0], wanted_grads[0]), tolerance) << n;
      EXPECT_LE(off(grads[1], wanted_grads[1]), tolerance) << n;
    }
  });
}

TEST(Swiglu, StaysFiniteForLargeValues) {
  const at::Tensor gate = torch::tensor({-1000.0F, -90.0F, 90.0F, 1000.0F}).requires_grad_(),
                   up = torch::ones({4});
  const at::Tensor h = swiglu(gate, up.requires_grad_());
  EXPECT_TRUE(test::close(h, torch::tensor({0.0F, 0.0F, 90.0F, 1000.0F}), 1e-5));
  h.sum().backward();
  EXPECT_TRUE(gate.grad().isfinite().all().item<bool>());
}

TEST(FusedRope, EqualsTheUnfusedOneInValueAndGradient) {
  everywhere([](at::ScalarType dtype, double tolerance) {
    for (const int64_t d : {8, 36, 64}) {
      const RopeTable table = rope_1d(torch::arange(7), d, 1e4);
      const at::Tensor x = torch::randn({2, 7, 3, d}).to(dtype).requires_grad_(),
                       weights = torch::randn(x.sizes());
      const at::Tensor X = wide(x), cos = table.cos.unsqueeze(1), sin = table.sin.unsqueeze(1);
      const at::Tensor a = X.narrow(-1, 0, d / 2), b = X.narrow(-1, d / 2, d / 2);
      const at::Tensor wanted = torch::cat({a * cos - b * sin, b * cos + a * sin}, -1);
      const at::Tensor found = apply_rope(x, table);
      EXPECT_LE(off(found, wanted), tolerance) << d;
      EXPECT_LE(off(torch::autograd::grad({(found * weights.to(dtype)).sum()}, {x})[0],
                    torch::autograd::grad({(wanted * weights.to(dtype)).sum()}, {X})[0]),
                tolerance)
          << d;
    }
  });
}

TEST(FusedLinear, EqualsLibtorchsInValueAndGradient) {
  torch::manual_seed(10);
  for (const bool with_bias : {true, false}) {
    const at::Tensor x = torch::randn({4, 5, 20}).requires_grad_(),
                     w = torch::randn({12, 20}).requires_grad_();
    const at::Tensor b = with_bias ? torch::randn({12}).requires_grad_() : at::Tensor();
    const at::Tensor weights = torch::randn({4, 5, 12});
    std::vector<at::Tensor> inputs = {x, w};
    if (with_bias) inputs.push_back(b);
    const at::Tensor found = fused_linear(x, w, b);
    const at::Tensor wanted = torch::nn::functional::linear(x, w, b);
    EXPECT_LE(off(found, wanted), 1e-6);
    const auto grads = torch::autograd::grad({(found * weights).sum()}, inputs);
    const auto wanted_grads = torch::autograd::grad({(wanted * weights).sum()}, inputs);
    for (size_t i = 0; i < inputs.size(); ++i) EXPECT_LE(off(grads[i], wanted_grads[i]), 1e-6) << i;
  }
}

}  // namespace
}  // namespace vl3::ops
