// flash_bf16.h for tensors: attention of many queries with bfloat16 products, spread over libtorch's threads.
// No gradients.
#pragma once

#include <ATen/core/Tensor.h>

namespace vl3::ops {

/// Whether flash_attention() runs here for these queries: float32 on the CPU, no gradient, a head dim it has.
bool takes_flash(const at::Tensor& q);

/// softmax(q k^T * scale) v; q, k, v and the weights are rounded to bfloat16, sums are float32.
/// @param q  float32 [B, H, S, d].  @param k,v  float32 or bfloat16 [B, KV, L, d], KV divides H. The last
/// axis of all three is dense, the others have any stride.
/// @param causal  query s stands at position L - S + s and sees nothing behind itself.
/// @param over_q  the result takes the memory of q, where that is laid out like it.
/// @return float32 [B, H, S, d], a view of a tensor [B, S, H, d].
at::Tensor flash_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                           bool causal, bool over_q = false);

}  // namespace vl3::ops
