// RMSNorm and LayerNorm, statistics in float32.
#pragma once

#include <ATen/core/Tensor.h>

namespace vl3::ops {

/// x * rsqrt(mean(x^2) + eps) * weight over the last axis, computed in float32, returned in x's dtype.
/// @param x [..., D];  @param weight [D].  Source: Qwen2RMSNorm.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// Layer normalisation over the last axis with weight and bias of any float dtype; result in x's dtype.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps);

}  // namespace vl3::ops
