// Attention for the encoder (every query sees every key of its frame) and for the decoder (cached keys,
// causal).
#pragma once

#include <ATen/core/Tensor.h>

namespace vl3::ops {

/// softmax(q k^T * scale) v inside each batch entry; no mask.
/// @param q,k,v [B, H, S, d], one float dtype; k and v may be bfloat16 already where takes_flash(q).
/// @param products  bfloat16: the products may take values rounded to it, where that is faster
/// (flash_attention.h).
/// @return [B, H, S, d]. Differentiable.
at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                          at::ScalarType products = at::kFloat);
/// The same; the result may take the memory of q.
at::Tensor full_attention_over_q(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                                 at::ScalarType products = at::kFloat);

/// Causal attention of the last S positions of a sequence of L keys, with grouped heads.
/// @param q  [H, S, d] float32 (CPU) or the cache's dtype; query s stands at position L - S + s.
/// @param k,v  [KV, L, d]; KV divides H; float32 or bfloat16.
/// @return [H, S, d] of q's dtype. Differentiable when L == S.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

/// Keys and values of one sequence as a cache holds them.
struct CachedRows {
  at::Tensor k, v;              ///< [KV, L, d] float32, bfloat16 or int8
  at::Tensor k_scale, v_scale;  ///< [KV, L] float32, of int8 only (rounded_heads.h)
};

/// The same of a cache, which may hold 8 bits: on the CPU, without gradients.
at::Tensor causal_attention(const at::Tensor& q, const CachedRows& cached, double scale);

/// Queries up to which the streaming kernel reads the cache once, without a copy of it.
inline constexpr int64_t kStreamedQueries = 8;

}  // namespace vl3::ops
