// Dot products of float32 rows with bfloat16 weight rows; the weight is read once, in order. Torch-free;
// written with Highway, which compiles it for AVX-512, AVX2, NEON, … and picks at run time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vl3::ops {

/// y[r, o] = sum_i x[r, i] * w[o, i] for o in [o_begin, o_end), r in [0, rows).
/// @param x  float32, row stride I;  @param w  bfloat16 bit patterns, row stride I;  @param y  float32, row
/// stride O.
void dot_bf16_rows(const float* x, const uint16_t* w, float* y, int64_t rows, int64_t I, int64_t O,
                   int64_t o_begin, int64_t o_end);

/// Widens n bfloat16 values.
void widen_bf16(const uint16_t* from, float* to, int64_t n);

/// Names of the instruction sets this CPU can run, best first ("AVX3", "AVX2", …).
std::vector<std::string> instruction_sets();
/// Tests run each of them; "" returns to the best one.
void force_instruction_set(const std::string& name);

}  // namespace vl3::ops
