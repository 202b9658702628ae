#include "nn/modules.h"

#include <ATen/Context.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <c10/core/GradMode.h>

#include "ops/fused_autograd.h"
#include "ops/linear.h"
#include "ops/norm.h"

namespace vl3::nn {
namespace {

at::Tensor dropout_mask(const at::Tensor& x, const LowRank& adapter) {
  // A generator of its own: the process's random state is not touched.
  at::Generator generator = at::globalContext().defaultGenerator(x.device()).clone();
  generator.set_current_seed(adapter.seed);
  const double keep = 1 - adapter.dropout;
  return at::empty_like(x, x.options().requires_grad(false)).bernoulli_(keep, generator).div_(keep);
}

}  // namespace

LinearImpl::LinearImpl(const Scope& scope, int64_t in_features, int64_t out_features, bool with_bias) {
  packed = scope.packed("weight", {out_features, in_features});
  if (!packed) {
    weight = register_parameter("weight", scope.get("weight", {out_features, in_features}),
                                /*requires_grad=*/false);
  }
  if (!with_bias) return;
  const at::Tensor stored = scope.get("bias", {out_features});
  bias = register_parameter("bias", packed ? stored.to(at::kFloat) : stored, /*requires_grad=*/false);
}

at::Tensor LinearImpl::forward(const at::Tensor& x) const {
  if (observer) observer(x);
  const at::Tensor y = matrix().product(x, bias);
  if (!adapted()) return y;
  const at::Tensor seen = adapter.dropout > 0 ? x * dropout_mask(x, adapter) : x;
  return y + ops::linear(ops::linear(seen, adapter.a), adapter.b) * adapter.scale;
}

namespace {

bool rounded(const LinearImpl& linear) {
  return linear.packed && linear.packed->inputs() == PackedWeight::Inputs::kRounded;
}

}  // namespace

at::Tensor gelu_mlp(const at::Tensor& x, const LinearImpl& fc1, const LinearImpl& fc2) {
  const bool joined = fc1.joinable() && fc2.joinable();
  if (joined && !fc1.packed && !fc2.packed) {
    return ops::gelu_mlp(x, fc1.weight, fc1.bias, fc2.weight, fc2.bias);
  }
  if (joined && rounded(fc1) && rounded(fc2)) {
    return ops::gelu_mlp(x, fc1.packed->get(), fc1.bias, fc2.packed->get(), fc2.bias);
  }
  return fc2.forward(at::gelu(fc1.forward(x), "tanh"));
}

at::Tensor swiglu_mlp(const at::Tensor& x, const LinearImpl& gate, const LinearImpl& up,
                      const LinearImpl& down) {
  const bool joined = gate.joinable() && up.joinable() && down.joinable();
  if (joined && !gate.packed && !up.packed && !down.packed) {
    return ops::swiglu_mlp(x, gate.weight, up.weight, down.weight);
  }
  if (joined && rounded(gate) && rounded(up) && rounded(down)) {
    const ops::QuantisedWeight &first = gate.packed->get(), &second = up.packed->get();
    if (first.bits() == second.bits() && first.group() == second.group())
      return ops::swiglu_mlp(x, first, second, down.packed->get());
  }
  return down.forward(ops::swiglu(gate.forward(x), up.forward(x)));
}

LayerNormImpl::LayerNormImpl(const Scope& scope, int64_t features, double eps) : eps_(eps) {
  weight_ = register_parameter("weight", scope.get("weight", {features}), /*requires_grad=*/false);
  bias_ = register_parameter("bias", scope.get("bias", {features}), /*requires_grad=*/false);
}

at::Tensor LayerNormImpl::forward(const at::Tensor& x) const {
  return ops::layer_norm(x, weight_, bias_, eps_);
}

RmsNormImpl::RmsNormImpl(const Scope& scope, int64_t features, double eps) : eps_(eps) {
  weight_ = register_parameter("weight", scope.get("weight", {features}), /*requires_grad=*/false);
}

at::Tensor RmsNormImpl::forward(const at::Tensor& x) const { return ops::rms_norm(x, weight_, eps_); }

at::Tensor residual(at::Tensor x, const at::Tensor& y) {
  return c10::GradMode::is_enabled() ? x + y : x.add_(y);
}

}  // namespace vl3::nn
