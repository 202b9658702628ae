// y = x W^T + b for every linear of the model: float32 or bfloat16 weights, one entry point.
//
// On the CPU activations stay float32 whatever the weights are. Of a bfloat16 weight, few rows take our
// dot-product kernels, which stream the weight once and widen it on the fly; many rows take the bfloat16
// products of the CPU (x is rounded, sums and results stay float32), or tiles of the weight widened for
// libtorch's float32 product. On other devices x has the weight's dtype.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace vl3::ops {

/// @param x       [..., I]; float32 (CPU), or the weight's dtype.
/// @param weight  [O, I] float32 or bfloat16, contiguous.
/// @param bias    [O] of the weight's dtype, or undefined.
/// @return [..., O] of x's dtype. Differentiable in all three when autograd is recording.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// How products of many rows with bfloat16 weights are done on this CPU.
enum class Bf16Product {
  kWidenedTiles,  ///< no bfloat16 arithmetic
  kOneDnn,        ///< AMX; results are rounded to bfloat16
  kOwnTiles,      ///< AVX512-BF16: gemm_bf16.h, flash_bf16.h
};
Bf16Product bf16_product();
/// Forces one of them (tests, benchmarks); std::nullopt returns to the CPU's own choice.
void force_bf16_product(std::optional<Bf16Product> product);

/// Whether products of x with `weight` go through our bfloat16 tiles: many rows of float32 on the CPU, no
/// gradient.
bool takes_own_tiles(const at::Tensor& x, const at::Tensor& weight);

/// W2 gelu(W1 x + b1) + b2, the tanh form. @param x [..., I]  @return [..., O] of x's dtype.
at::Tensor gelu_mlp(const at::Tensor& x, const at::Tensor& w1, const at::Tensor& b1, const at::Tensor& w2,
                    const at::Tensor& b2);

/// down (silu(gate x) * up x). @param x [..., I]  @return [..., O] of x's dtype.
at::Tensor swiglu_mlp(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& up,
                      const at::Tensor& down);

/// Rows up to which the streaming dot-product kernel is used.
inline constexpr int64_t kStreamedRows = 8;

}  // namespace vl3::ops
