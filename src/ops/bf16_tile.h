// What the AVX512-BF16 kernels share: one register tile of the product A B^T, the packing that brings B into
// the order `vdpbf16ps` wants, and exponentials. x86 only; included by the kernel files, between
// VL3_BEFORE_AVX512_BF16 and VL3_AFTER_AVX512_BF16. Everything here is raw memory: no libtorch, no std
// templates (which a linker could share with code that runs on CPUs without these instructions).
//
// Letters: M rows of A, N rows of B (columns of the result), K the common length, P = K / 2 pairs rounded up.
// Pairs are uint32: two neighbouring bfloat16, the even one in the low half.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#define VL3_BEFORE_AVX512_BF16 \
  HWY_PUSH_ATTRIBUTES("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512bf16")
#define VL3_AFTER_AVX512_BF16 HWY_POP_ATTRIBUTES

VL3_BEFORE_AVX512_BF16
namespace vl3::ops::avx512_bf16 {

constexpr int kTileRows = 6;  // with 4 vectors of columns: 24 accumulators of 32 registers
constexpr int kLanes = 16;    // columns of one vector
constexpr int64_t kTileColumns = 4 * kLanes;

HWY_INLINE __m512 widened(__m256i bf16) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

/// Rounds to nearest even.
HWY_INLINE __m256i narrowed(__m512 x) {
  const __m256bh bits = _mm512_cvtneps_pbh(x);
  __m256i result;
  __builtin_memcpy(&result, &bits, sizeof(result));
  return result;
}

/// 32 of them, the low ones first.
HWY_INLINE __m512i narrowed(__m512 low, __m512 high) {
  const __m512bh bits = _mm512_cvtne2ps_pbh(high, low);
  __m512i result;
  __builtin_memcpy(&result, &bits, sizeof(result));
  return result;
}

HWY_INLINE __m512 add_products(__m512 sum, __m512i a, __m512i b) {
  __m512bh x, y;
  __builtin_memcpy(&x, &a, sizeof(x));
  __builtin_memcpy(&y, &b, sizeof(y));
  return _mm512_dpbf16_ps(sum, x, y);
}

HWY_INLINE __mmask16 first_lanes(int64_t n) {
  return n >= kLanes ? __mmask16{0xffff} : static_cast<__mmask16>((1u << n) - 1);
}

/// 2^x within 2 units in the last place; 0 below -126, as -infinity gives.
HWY_INLINE __m512 exp2(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-200.0f));
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 r = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_set1_ps(1.5403530e-4f);
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.3333558e-3f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(9.6181291e-3f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(5.5504109e-2f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(2.4022651e-1f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(6.9314718e-1f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(y, whole);
}

/// x / (1 + e^(-steepness * x)): SiLU for 1.
HWY_INLINE __m512 times_sigmoid(__m512 x, __m512 argument) {
  const __m512 e = exp2(_mm512_mul_ps(argument, _mm512_set1_ps(-1.44269504f)));
  return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), e));
}

/// 16 x 16 pairs: lane j of out[i] = lane i of in[j].
HWY_INLINE void transpose_pairs(const __m512i in[16], uint32_t* out, int64_t out_stride, int64_t rows) {
  __m512i a[16], b[16];
  for (int i = 0; i < 8; ++i) {
    a[2 * i] = _mm512_unpacklo_epi32(in[2 * i], in[2 * i + 1]);
    a[2 * i + 1] = _mm512_unpackhi_epi32(in[2 * i], in[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
    b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]);
    b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i low = _mm512_shuffle_i32x4(b[i], b[4 + i], 0x88),
                  high = _mm512_shuffle_i32x4(b[i], b[4 + i], 0xdd);
    const __m512i low2 = _mm512_shuffle_i32x4(b[8 + i], b[12 + i], 0x88),
                  high2 = _mm512_shuffle_i32x4(b[8 + i], b[12 + i], 0xdd);
    a[i] = _mm512_shuffle_i32x4(low, low2, 0x88);
    a[8 + i] = _mm512_shuffle_i32x4(low, low2, 0xdd);
    a[4 + i] = _mm512_shuffle_i32x4(high, high2, 0x88);
    a[12 + i] = _mm512_shuffle_i32x4(high, high2, 0xdd);
  }
  for (int64_t i = 0; i < rows; ++i) _mm512_storeu_si512(out + i * out_stride, a[i]);
}

/// 16 values of a row as bfloat16, zeros behind the first n.
HWY_INLINE __m256i load_narrow(const uint16_t* from, int64_t n) {
  return _mm256_maskz_loadu_epi16(n > 0 ? first_lanes(n) : __mmask16{0}, from);
}
HWY_INLINE __m256i load_narrow(const float* from, int64_t n) {
  return narrowed(_mm512_maskz_loadu_ps(n > 0 ? first_lanes(n) : __mmask16{0}, from));
}

/// Packs `columns` <= 16 rows of B ([*, K], `stride` elements apart) as pairs [P][to_stride], 16 of them
/// used.
template <typename T>
HWY_INLINE void pack_columns(const T* b, int64_t stride, int64_t columns, int64_t K, uint32_t* to,
                             int64_t to_stride) {
  for (int64_t k = 0; k < K; k += 32) {
    __m512i rows[16];
    for (int64_t c = 0; c < 16; ++c) {
      if (c >= columns) {
        rows[c] = _mm512_setzero_si512();
        continue;
      }
      const T* from = b + c * stride + k;
      const int64_t n = K - k;
      const __m256i low = load_narrow(from, n), high = load_narrow(from + 16, n - 16);
      rows[c] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    const int64_t pairs = (K - k + 1) / 2;
    transpose_pairs(rows, to + k / 2 * to_stride, to_stride, pairs < 16 ? pairs : 16);
  }
}

/// sums[r][v] += A[r] . B[v] over P pairs. @param a_stride, b_stride  in pairs.
template <int R, int V>
HWY_INLINE void multiply(const uint32_t* a, int64_t a_stride, const uint32_t* b, int64_t b_stride, int64_t P,
                         __m512 (&sums)[R][V]) {
  for (int64_t p = 0; p < P; ++p) {
    __m512i columns[V];
    for (int v = 0; v < V; ++v) columns[v] = _mm512_loadu_si512(b + p * b_stride + v * kLanes);
    for (int r = 0; r < R; ++r) {
      const __m512i pair = _mm512_set1_epi32(static_cast<int>(a[r * a_stride + p]));
      for (int v = 0; v < V; ++v) sums[r][v] = add_products(sums[r][v], pair, columns[v]);
    }
  }
}

}  // namespace vl3::ops::avx512_bf16
VL3_AFTER_AVX512_BF16
#endif
