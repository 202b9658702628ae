// y = x W^T in float32 with one fixed order of additions for every output, however many rows there are and
// wherever a row stands among them: what a request gets does not depend on its company. Torch-free; written
// with Highway.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// Outputs [o_begin, o_end) of all rows.
/// @param x  [rows, I]  @param w  [O, I]  @param y  [rows, O], written.
void rows_linear(const float* x, const float* w, float* y, int64_t rows, int64_t I, int64_t O,
                 int64_t o_begin, int64_t o_end);

}  // namespace vl3::ops
