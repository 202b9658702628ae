#include "ops/gemm_bf16.h"

#include "ops/bf16_tile.h"

#if defined(__x86_64__)

#include <cpuid.h>

VL3_BEFORE_AVX512_BF16
namespace vl3::ops {
namespace {

using namespace avx512_bf16;

// Inputs packed at once: 64 columns of them fill a quarter of a 1 MiB L2 cache.
constexpr int64_t kDepth = 2048;

int64_t depth_of(const GemmBf16& g) {
  return g.epilogue == GemmEpilogue::kStore && g.I > kDepth ? kDepth : (g.I + 1) / 2 * 2;
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x / (1 + e^(-2 sqrt(2/pi) (...))).
HWY_INLINE __m512 gelu_tanh(__m512 x) {
  const __m512 cubic = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(0.044715f), _mm512_set1_ps(1.0f));
  return times_sigmoid(x, _mm512_mul_ps(_mm512_mul_ps(x, cubic), _mm512_set1_ps(1.59576912f)));
}

struct Columns {
  int64_t first, count;  // of y
  bool adds;             // y holds the sum, with the bias, of earlier inputs
};

template <GemmEpilogue E, int R>
HWY_INLINE void finish(const GemmBf16& g, const Columns& columns, int64_t m, const __m512 (&sums)[R][4]) {
  if constexpr (E == GemmEpilogue::kSwiglu) {
    for (int r = 0; r < R; ++r) {
      uint16_t* y = static_cast<uint16_t*>(g.y) + (m + r) * g.O + columns.first;
      for (int v = 0; v < 2; ++v) {
        const int64_t n = columns.count - v * kLanes;
        if (n <= 0) break;
        const __m512 h = _mm512_mul_ps(times_sigmoid(sums[r][v], sums[r][v]), sums[r][2 + v]);
        _mm256_mask_storeu_epi16(y + v * kLanes, first_lanes(n), narrowed(h));
      }
    }
  } else {
    for (int v = 0; v < 4; ++v) {
      const int64_t n = columns.count - v * kLanes;
      if (n <= 0) break;
      const __mmask16 lanes = first_lanes(n);
      const bool with_bias = g.bias != nullptr && !columns.adds;
      const __m512 bias =
          with_bias ? _mm512_maskz_loadu_ps(lanes, g.bias + columns.first + v * kLanes) : _mm512_setzero_ps();
      for (int r = 0; r < R; ++r) {
        const int64_t at = (m + r) * g.O + columns.first + v * kLanes;
        __m512 value = _mm512_add_ps(sums[r][v], bias);
        if constexpr (E == GemmEpilogue::kGeluTanh) {
          _mm256_mask_storeu_epi16(static_cast<uint16_t*>(g.y) + at, lanes, narrowed(gelu_tanh(value)));
        } else {
          float* y = static_cast<float*>(g.y) + at;
          if (columns.adds) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(lanes, y));
          _mm512_mask_storeu_ps(y, lanes, value);
        }
      }
    }
  }
}

template <GemmEpilogue E, int R>
void rows_of_tile(const GemmBf16& g, const Columns& columns, const uint32_t* x, int64_t x_stride,
                  const uint32_t* packed, int64_t P, int64_t m) {
  __m512 sums[R][4];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < 4; ++v) sums[r][v] = _mm512_setzero_ps();
  multiply<R, 4>(x + m * x_stride, x_stride, packed, kTileColumns, P, sums);
  finish<E, R>(g, columns, m, sums);
}

template <GemmEpilogue E>
void run_tile(const GemmBf16& g, int64_t tile, int64_t m_begin, int64_t m_end, uint32_t* packed) {
  const int64_t depth = depth_of(g), x_stride = g.x_stride / 2;
  constexpr int64_t kWidth = E == GemmEpilogue::kSwiglu ? kTileColumns / 2 : kTileColumns;
  Columns columns{tile * kWidth, 0, false};
  columns.count = g.O - columns.first < kWidth ? g.O - columns.first : kWidth;
  for (int64_t k = 0; k < g.I; k += depth) {
    const int64_t K = g.I - k < depth ? g.I - k : depth, P = (K + 1) / 2;
    for (int64_t c = 0; c < kTileColumns; c += kLanes) {
      const bool second = c >= kWidth;
      const int64_t own = second ? c - kWidth : c;
      const uint16_t* w = (second ? g.w2 : g.w) + (columns.first + own) * g.I + k;
      pack_columns(w, g.I, columns.count - own, K, packed + c, kTileColumns);
    }
    const uint32_t* x = reinterpret_cast<const uint32_t*>(g.x) + k / 2;
    int64_t m = m_begin;
    for (; m + kTileRows <= m_end; m += kTileRows)
      rows_of_tile<E, kTileRows>(g, columns, x, x_stride, packed, P, m);
    switch (m_end - m) {
      case 5:
        rows_of_tile<E, 5>(g, columns, x, x_stride, packed, P, m);
        break;
      case 4:
        rows_of_tile<E, 4>(g, columns, x, x_stride, packed, P, m);
        break;
      case 3:
        rows_of_tile<E, 3>(g, columns, x, x_stride, packed, P, m);
        break;
      case 2:
        rows_of_tile<E, 2>(g, columns, x, x_stride, packed, P, m);
        break;
      case 1:
        rows_of_tile<E, 1>(g, columns, x, x_stride, packed, P, m);
        break;
      default:
        break;
    }
    columns.adds = true;
  }
}

}  // namespace

void narrow_rows(const float* from, int64_t rows, int64_t I, uint16_t* to, int64_t stride) {
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t k = 0; k < stride; k += kLanes) {
      _mm256_mask_storeu_epi16(to + m * stride + k, first_lanes(stride - k),
                               load_narrow(from + m * I + k, I - k));
    }
  }
}

void gemm_bf16_tile(const GemmBf16& gemm, int64_t tile, int64_t m_begin, int64_t m_end, uint32_t* packed) {
  switch (gemm.epilogue) {
    case GemmEpilogue::kStore:
      return run_tile<GemmEpilogue::kStore>(gemm, tile, m_begin, m_end, packed);
    case GemmEpilogue::kGeluTanh:
      return run_tile<GemmEpilogue::kGeluTanh>(gemm, tile, m_begin, m_end, packed);
    case GemmEpilogue::kSwiglu:
      return run_tile<GemmEpilogue::kSwiglu>(gemm, tile, m_begin, m_end, packed);
  }
}

int64_t gemm_scratch(const GemmBf16& gemm) { return (depth_of(gemm) / 2 + 16) * kTileColumns; }

}  // namespace vl3::ops
VL3_AFTER_AVX512_BF16

namespace vl3::ops {

bool cpu_has_amx_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;  // leaf 7: not every compiler knows the feature by name
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1) != 0;
}

bool cpu_has_avx512_bf16() {
  static const bool found = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return found;
}

}  // namespace vl3::ops

#else

namespace vl3::ops {

bool cpu_has_avx512_bf16() { return false; }
bool cpu_has_amx_bf16() { return false; }
int64_t gemm_scratch(const GemmBf16&) { return 0; }
void gemm_bf16_tile(const GemmBf16&, int64_t, int64_t, int64_t, uint32_t*) { __builtin_trap(); }
void narrow_rows(const float*, int64_t, int64_t, uint16_t*, int64_t) { __builtin_trap(); }

}  // namespace vl3::ops

#endif

namespace vl3::ops {

int64_t gemm_tiles(const GemmBf16& gemm) {
  const int64_t width = gemm.epilogue == GemmEpilogue::kSwiglu ? kGemmTile / 2 : kGemmTile;
  return (gemm.O + width - 1) / width;
}

}  // namespace vl3::ops
