// What the AVX512-VNNI kernels share: a register tile of rows in 8 bits times weights in 8 or 4 bits, and
// conversions. x86 only; included between VL3_BEFORE_AVX512_VNNI and VL3_AFTER_AVX512_VNNI. Raw memory: no
// libtorch, no std templates (which a linker could share with code that runs on CPUs without these
// instructions).
//
// HWY_UNROLL: of its own accord g++ 12 unrolls too late to keep the accumulators in registers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/quantised_panels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#define VL3_BEFORE_AVX512_VNNI \
  HWY_PUSH_ATTRIBUTES("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,avx512vnni")
#define VL3_AFTER_AVX512_VNNI HWY_POP_ATTRIBUTES

VL3_BEFORE_AVX512_VNNI
namespace vl3::ops::avx512_vnni {

constexpr int kLanes = 16;                        // outputs of one vector
constexpr int kVectors = kPanelOutputs / kLanes;  // of a panel

HWY_INLINE __mmask16 first_lanes(int64_t n) {
  return n >= kLanes ? __mmask16{0xffff} : static_cast<__mmask16>((1u << n) - 1);
}

// _mm512_dpbusd_epi32, for which g++ 12 moves accumulators through memory.
HWY_INLINE void add_products(__m512i& sums, __m512i unsigned_bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(unsigned_bytes), "v"(signed_bytes));
}

// _mm512_cvtepi32_ps, which g++ 12 warns of.
HWY_INLINE __m512 to_floats(__m512i x) {
  return __builtin_convertvector(reinterpret_cast<__v16si>(x), __v16sf);
}

HWY_INLINE __m512i four_inputs(const int8_t* x) {
  int bytes;
  __builtin_memcpy(&bytes, x, sizeof(bytes));
  return _mm512_set1_epi32(bytes);
}

// sums[r][v] += x[r] . w[v] over `steps` steps of four inputs.
template <int R, int V>
HWY_INLINE void multiply(const int8_t* x, int64_t stride, const std::byte* w, int64_t steps,
                         __m512i (&sums)[R][V]) {
  for (int64_t s = 0; s < steps; ++s) {
    __m512i columns[V];
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v) columns[v] = _mm512_loadu_si512(w + s * kStepBytes + v * 64);
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      const __m512i inputs = four_inputs(x + r * stride + 4 * s);
      HWY_UNROLL(8)
      for (int v = 0; v < V; ++v) add_products(sums[r][v], columns[v], inputs);
    }
  }
}

// The same from 4-bit numbers: `steps` steps of eight inputs.
template <int R, int V>
HWY_INLINE void multiply_4bit(const int8_t* x, int64_t stride, const std::byte* w, int64_t steps,
                              __m512i (&sums)[R][V]) {
  const __m512i low_bits = _mm512_set1_epi8(15);
  for (int64_t s = 0; s < steps; ++s) {
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v) {
      const __m512i both = _mm512_loadu_si512(w + s * kStepBytes + v * 64);
      const __m512i low = _mm512_and_si512(both, low_bits);
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), low_bits);
      HWY_UNROLL(8)
      for (int r = 0; r < R; ++r) {
        const int8_t* inputs = x + r * stride + 8 * s;
        add_products(sums[r][v], low, four_inputs(inputs));
        add_products(sums[r][v], high, four_inputs(inputs + 4));
      }
    }
  }
}

HWY_INLINE void expand(const std::byte* w, int64_t steps, std::byte* to) {
  const __m512i low_bits = _mm512_set1_epi8(15);
  for (int64_t s = 0; s < steps; ++s, w += kStepBytes, to += 2 * kStepBytes) {
    HWY_UNROLL(8)
    for (int v = 0; v < kVectors; ++v) {
      const __m512i both = _mm512_loadu_si512(w + v * 64);
      _mm512_storeu_si512(to + v * 64, _mm512_and_si512(both, low_bits));
      _mm512_storeu_si512(to + kStepBytes + v * 64, _mm512_and_si512(_mm512_srli_epi16(both, 4), low_bits));
    }
  }
}

}  // namespace vl3::ops::avx512_vnni
VL3_AFTER_AVX512_VNNI
#endif
