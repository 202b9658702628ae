// The two leaves every stage is made of. Their parameters carry the checkpoint's own keys ("weight", "bias").
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <functional>

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

/// y = x W^T + b through ops::linear; the weight is plain, or packed in 8 or 4 bits.
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(const Scope& scope, int64_t in_features, int64_t out_features, bool bias);
  at::Tensor forward(const at::Tensor& x) const;
  bool adapted() const { return adapter.a.defined(); }
  /// Nothing but the product has to happen: the linear may be joined with its neighbours.
  bool joinable() const { return !adapted() && !observer; }
  Matrix matrix() const { return {weight, packed}; }
  /// Of the model's plain parameters around it.
  at::ScalarType dtype() const { return packed ? packed->dtype() : weight.scalar_type(); }

  at::Tensor weight;                           ///< [out, in]; undefined where packed
  at::Tensor bias;                             ///< [out] or undefined; float32 where packed
  std::shared_ptr<const PackedWeight> packed;  ///< [out, in], or null
  LowRank adapter;
  std::function<void(const at::Tensor& x)> observer;  ///< sees each input [..., in] (calibration)
};
TORCH_MODULE(Linear);

/// fc2(gelu(fc1(x))), the tanh form, in one go where the linears allow it.
at::Tensor gelu_mlp(const at::Tensor& x, const LinearImpl& fc1, const LinearImpl& fc2);

/// down(silu(gate(x)) * up(x)), likewise. @param gate, up, down  without biases.
at::Tensor swiglu_mlp(const at::Tensor& x, const LinearImpl& gate, const LinearImpl& up,
                      const LinearImpl& down);

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
