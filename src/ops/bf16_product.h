// gemm_bf16.h for tensors: rows rounded once, products spread over libtorch's threads. No gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/gemm_bf16.h"

namespace vl3::ops {

/// Rows as the kernels take them: bfloat16 [M, I + (I odd)].
struct NarrowRows {
  at::Tensor bits;
  int64_t I = 0;
};

/// @param x  float32 [..., I], CPU; leading axes are rows.
NarrowRows narrow(const at::Tensor& x);

/// x W^T + b: float32 [M, O]. @param bias  float dtype [O] or undefined.
at::Tensor product(const NarrowRows& x, const at::Tensor& weight, const at::Tensor& bias);
/// gelu(x W^T + b), tanh form, [M, O].
NarrowRows product_gelu(const NarrowRows& x, const at::Tensor& weight, const at::Tensor& bias);
/// silu(x gate^T) * (x up^T), [M, O].
NarrowRows product_swiglu(const NarrowRows& x, const at::Tensor& gate, const at::Tensor& up);

/// Bit patterns of a bfloat16 tensor.
const uint16_t* bf16_bits(const at::Tensor& tensor);
uint16_t* mutable_bf16_bits(const at::Tensor& tensor);

}  // namespace vl3::ops
