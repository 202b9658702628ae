// Rotary position embedding, "rotate half" form: dims j and j + d/2 are a pair turned by angle j.
#pragma once

#include <ATen/core/Tensor.h>

namespace vl3::ops {

/// Angles as cosines and sines, float32 [S, d/2].
struct RopeTable {
  at::Tensor cos;
  at::Tensor sin;
};

/// 1-D positions [S] (int64) -> table; inv_freq_k = theta^(-2k/d). Source: Qwen2RotaryEmbedding.
RopeTable rope_1d(const at::Tensor& positions, int64_t head_dim, double theta);

/// Patches of one frame in block order (merge x merge patches adjacent): angles of row, then of column.
/// @return [h*w, d/2]. Source: spec "Vision encoder" 3.2.
RopeTable rope_2d(int64_t h, int64_t w, int64_t merge, int64_t head_dim, double theta, at::Device device);

/// Turns the heads of x. @param x [..., S, heads, d]; the table is broadcast over the leading axes. Result in
/// x's dtype, computed in float32.
at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table);
/// The same, over x itself where no gradient is recorded and it is fused.
at::Tensor apply_rope_in_place(at::Tensor x, const RopeTable& table);

}  // namespace vl3::ops
