// Rows of activations rounded to 8 bits, each by its own greatest value, and the activations between two
// products. Torch-free; written with Highway.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// Letters: M rows, I inputs, G groups of the weight that they meet.
struct RowsInt8 {
  int64_t stride = 0;                   ///< elements between rows; zeros from I on
  const int8_t* values = nullptr;       ///< [M, stride], or null where the kernels take `wide`
  const int16_t* wide = nullptr;        ///< the same numbers in 16 bits
  const int32_t* correction = nullptr;  ///< [M, G]: -offset * (sum of the group's inputs)
  const float* scale = nullptr;         ///< [M]
};

/// Elements between rows of I inputs: a multiple of 64.
inline int64_t rounded_stride(int64_t I) { return (I + 63) / 64 * 64; }

/// Rounds `rows` rows: x = values * scale with scale = max |x| / 127, to nearest, ties to even. A row below
/// 1e-30 counts as zeros; a row that is not finite gets a NaN as scale, so that its products are NaN.
/// @param x           [rows, I]
/// @param group       inputs of a group: I, or a multiple of 32
/// @param offset      of QuantisedPanels
/// @param values      [rows, rounded_stride(I)], written
/// @param correction  [rows, I / group], written  @param scale  [rows], written
void round_rows(const float* x, int64_t rows, int64_t I, int64_t group, int64_t offset, int8_t* values,
                int32_t* correction, float* scale);
void round_rows(const float* x, int64_t rows, int64_t I, int64_t group, int64_t offset, int16_t* values,
                int32_t* correction, float* scale);

/// x = gelu(x), tanh form, in place. @param x  [rows, n] of row stride `stride`.
void gelu_rows(float* x, int64_t rows, int64_t n, int64_t stride);
/// gate = silu(gate) * up. @param gate  row stride `stride`.  @param up  row stride `up_stride`.
void swiglu_rows(float* gate, const float* up, int64_t rows, int64_t n, int64_t stride, int64_t up_stride);

}  // namespace vl3::ops
