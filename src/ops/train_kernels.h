// Forward and backward of the element-wise steps of a decoder layer in one pass each, for training on the
// CPU. Torch-free; written with Highway. T is float or uint16_t (bfloat16 bit patterns); arithmetic is
// float32.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// y = x * rstd * w, rstd = 1 / sqrt(mean(x^2) + eps).
/// @param x,y [rows, D]  @param w [D]  @param rstd [rows], written.
template <typename T>
void rms_norm_rows(const T* x, const T* w, T* y, float* rstd, int64_t rows, int64_t D, float eps);

/// @param dx  null: not wanted.  @param dw  float32 [D], added to; null: not wanted.
template <typename T>
void rms_norm_rows_backward(const T* x, const T* w, const float* rstd, const T* dy, T* dx, float* dw,
                            int64_t rows, int64_t D);

/// h = silu(gate) * up.
template <typename T>
void swiglu(const T* gate, const T* up, T* h, int64_t n);
template <typename T>
void swiglu_backward(const T* gate, const T* up, const T* dh, T* dgate, T* dup, int64_t n);

/// Turns pairs (j, j + half) of `heads` vectors of length 2 * half by the angles of one position; `direction`
/// -1 turns back, which is the gradient.
template <typename T>
void rope_heads(const T* x, const float* cos, const float* sin, T* y, int64_t heads, int64_t half,
                float direction);

}  // namespace vl3::ops
