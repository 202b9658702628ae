// y = x W^T + b for every linear of the model: float32 or bfloat16 weights, one entry point.
//
// On the CPU activations stay float32 whatever the weights are: a bfloat16 weight is widened on the fly (few
// rows: our dot-product kernels, which stream the weight once; many rows: tiles widened once, then libtorch's
// float32 product, or oneDNN's bfloat16 product where the CPU has it). On other devices x has the weight's
// dtype.
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
enum class Bf16Product { kWidenedTiles, kOneDnn };
Bf16Product bf16_product();
/// Forces one of them (tests, benchmarks); std::nullopt returns to the CPU's own choice.
void force_bf16_product(std::optional<Bf16Product> product);

/// Rows up to which the streaming dot-product kernel is used.
inline constexpr int64_t kStreamedRows = 8;

}  // namespace vl3::ops
