// The element-wise steps of a layer in one pass: forward alone, or as single autograd nodes with one pass
// backward, of which only what backward cannot make again is kept. Without one of these conditions the caller
// takes libtorch's operators: CPU, float32 or bfloat16, contiguous.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/rope.h"

namespace vl3::ops {

/// Whether the fused steps take x on the CPU: gradients are recorded for it, or not at all.
bool fuses(const at::Tensor& x);

/// RMSNorm; keeps x and one number a row. @param weight  of x's dtype.
at::Tensor fused_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// apply_rope(); keeps nothing of x.
at::Tensor fused_rope(const at::Tensor& x, const RopeTable& table);
at::Tensor fused_rope_in_place(at::Tensor x, const RopeTable& table);

/// silu(gate) * up in any mode and on any device. @param gate,up  of one shape and dtype.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

/// at::linear() whose float32 products go to oneDNN, which is ahead of libtorch's default there (107 against
/// 97 GFLOP/s a core of an AVX-512 server CPU).
at::Tensor fused_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace vl3::ops
