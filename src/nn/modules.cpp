#include "nn/modules.h"

#include <ATen/Context.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

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
  weight =
      register_parameter("weight", scope.get("weight", {out_features, in_features}), /*requires_grad=*/false);
  if (with_bias)
    bias = register_parameter("bias", scope.get("bias", {out_features}), /*requires_grad=*/false);
}

at::Tensor LinearImpl::forward(const at::Tensor& x) const {
  const at::Tensor y = ops::linear(x, weight, bias);
  if (!adapted()) return y;
  const at::Tensor seen = adapter.dropout > 0 ? x * dropout_mask(x, adapter) : x;
  return y + ops::linear(ops::linear(seen, adapter.a), adapter.b) * adapter.scale;
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
