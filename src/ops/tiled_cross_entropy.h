// Cross entropy of an output head over tiles of the vocabulary: logits of all tokens and all words never
// exist.
#pragma once

#include <ATen/core/Tensor.h>

namespace vl3::ops {

/// Sum over tokens of log-sum-exp(h W^T) - h . W[target], logits and sums in float32. The gradient is
/// recomputed tile by tile in backward.
///
/// Letters: N tokens, D hidden size, V vocabulary rows.
/// @param hidden_ND  float dtype.  @param weight_VD  of the same dtype.
/// @param targets_N  int64 in [0, V).
/// @param tile  vocabulary rows whose logits exist at once; at most kTileTokens tokens of them.
/// @param weight_grad_sum_VD  float32: the gradient of the weight is added to it in backward and none is
/// returned to autograd, so that a large vocabulary's gradient exists once. Undefined: returned, of the
/// weight's dtype.
/// @return float32 scalar. Differentiable in hidden and weight; 0 for N = 0.
/// @throws Error(kInvalidArgument) for a target outside the vocabulary.
/// Source: spec/training.md 7.
at::Tensor tiled_cross_entropy(const at::Tensor& hidden_ND, const at::Tensor& weight_VD,
                               const at::Tensor& targets_N, int64_t tile,
                               const at::Tensor& weight_grad_sum_VD = {});

inline constexpr int64_t kTileTokens = 1024;

}  // namespace vl3::ops
