// Products of many rows with bfloat16 weights on AVX512-BF16 CPUs; bias and activation are done while the
// sums are in registers, which are float32 until they are stored. Torch-free; the caller hands out the tiles
// to its threads.
//
// Letters: M rows, I inputs, O outputs.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// Whether this CPU runs the kernels of this file and of flash_bf16.h.
bool cpu_has_avx512_bf16();
/// Whether it has matrix tiles for bfloat16, which oneDNN uses and which are faster still.
bool cpu_has_amx_bf16();

enum class GemmEpilogue {
  kStore,     ///< y = x W^T + b, float32
  kGeluTanh,  ///< y = gelu(x W^T + b) with the tanh form, bfloat16
  kSwiglu,    ///< y = silu(x W^T) * (x W2^T), bfloat16; no bias
};

struct GemmBf16 {
  int64_t M = 0, I = 0, O = 0;
  const uint16_t* x = nullptr;   ///< [M, x_stride] bfloat16; zeros from I to the next even number
  int64_t x_stride = 0;          ///< even
  const uint16_t* w = nullptr;   ///< [O, I] bfloat16
  const uint16_t* w2 = nullptr;  ///< [O, I], for kSwiglu
  const float* bias = nullptr;   ///< [O] or null
  GemmEpilogue epilogue = GemmEpilogue::kStore;
  void* y = nullptr;  ///< [M, O]
};

/// Outputs are computed in tiles of this many (of half as many for kSwiglu).
inline constexpr int64_t kGemmTile = 64;
int64_t gemm_tiles(const GemmBf16& gemm);

/// uint32 elements that one call's scratch needs.
int64_t gemm_scratch(const GemmBf16& gemm);

/// Computes rows [m_begin, m_end) of tile `tile`. Calls for different tiles or rows may run at the same time.
/// @param packed  scratch of the call's own, 64-byte aligned for speed.
void gemm_bf16_tile(const GemmBf16& gemm, int64_t tile, int64_t m_begin, int64_t m_end, uint32_t* packed);

/// to[m, 0..stride) = from[m, 0..I) rounded, zeros behind.
void narrow_rows(const float* from, int64_t rows, int64_t I, uint16_t* to, int64_t stride);

}  // namespace vl3::ops
