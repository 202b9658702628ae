// The two leaves every stage is made of. Their parameters carry the checkpoint's own keys ("weight", "bias").
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include "nn/parameter_source.h"

namespace vl3::nn {

/// A low-rank addition to a linear, trained instead of its weight (LoRA): y += scale * B A dropout(x).
struct LowRank {
  at::Tensor a;  ///< [r, in]; undefined: none
  at::Tensor b;  ///< [out, r]
  double scale = 0;
  double dropout = 0;  ///< share of x's elements set to 0, the others scaled up; 0 outside training
  uint64_t seed =
      0;  ///< of the dropout mask: the same seed gives the same mask when activations are made again
};

/// y = x W^T + b through ops::linear.
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(const Scope& scope, int64_t in_features, int64_t out_features, bool bias);
  at::Tensor forward(const at::Tensor& x) const;
  bool adapted() const { return adapter.a.defined(); }

  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out] or undefined
  LowRank adapter;
};
TORCH_MODULE(Linear);

/// Layer normalisation with weight and bias.
class LayerNormImpl : public torch::nn::Module {
 public:
  LayerNormImpl(const Scope& scope, int64_t features, double eps);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  double eps_;
  at::Tensor weight_, bias_;
};
TORCH_MODULE(LayerNorm);

/// Root-mean-square normalisation with weight.
class RmsNormImpl : public torch::nn::Module {
 public:
  RmsNormImpl(const Scope& scope, int64_t features, double eps);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  double eps_;
  at::Tensor weight_;
};
TORCH_MODULE(RmsNorm);

/// x + y; in place when no gradient is recorded (the caller owns x).
at::Tensor residual(at::Tensor x, const at::Tensor& y);

}  // namespace vl3::nn
