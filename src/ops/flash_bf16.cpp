#include "ops/flash_bf16.h"

#include "ops/bf16_tile.h"

// Packed keys:   blocks of 64 keys, each [d / 2][64] pairs of neighbouring dims.
// Packed values: [L / 2][dims] pairs of neighbouring keys; dims is d rounded up to whole vectors. Blocks are
// whole: keys past L are zeros, their weights too.

namespace vl3::ops {
namespace {

constexpr int64_t kBlock = 64;         // keys packed together
constexpr int64_t kWalk = 4 * kBlock;  // keys whose scores exist at once

int64_t blocks_of(int64_t L) { return (L + kBlock - 1) / kBlock; }
int64_t padded_dims(int64_t d) { return (d + 15) / 16 * 16; }

}  // namespace

int64_t flash_keys_size(int64_t L, int64_t d) { return blocks_of(L) * kBlock * ((d + 1) / 2); }
int64_t flash_values_size(int64_t L, int64_t d) { return blocks_of(L) * kBlock / 2 * padded_dims(d); }

}  // namespace vl3::ops

#if defined(__x86_64__)

VL3_BEFORE_AVX512_BF16
namespace vl3::ops {
namespace {

using namespace avx512_bf16;

struct State {
  alignas(64) uint16_t q[kFlashQueries * kFlashDim];
  alignas(64) float scores[kFlashQueries * kWalk];
  alignas(64) uint16_t weights[kFlashQueries * kWalk];
  alignas(64) float out[kFlashQueries * kFlashDim];
  alignas(64) float most[kFlashQueries * kLanes];  // greatest scores of this walk, by lane
  float top[kFlashQueries], sum[kFlashQueries];
};

/// scores[R, 64] = q keys^T of one block of 64; the greatest of each lane join `most`.
template <int R>
void score_tile(const uint16_t* q, const uint32_t* keys, int64_t P, float* scores, float* most) {
  __m512 sums[R][4];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < 4; ++v) sums[r][v] = _mm512_setzero_ps();
  multiply<R, 4>(reinterpret_cast<const uint32_t*>(q), P, keys, kBlock, P, sums);
  for (int r = 0; r < R; ++r, most += kLanes) {
    for (int v = 0; v < 4; ++v) _mm512_store_ps(scores + r * kWalk + v * kLanes, sums[r][v]);
    const __m512 first = _mm512_max_ps(sums[r][0], sums[r][1]),
                 second = _mm512_max_ps(sums[r][2], sums[r][3]);
    _mm512_store_ps(most, _mm512_max_ps(_mm512_load_ps(most), _mm512_max_ps(first, second)));
  }
}

/// out[R, V * 16] += weights values.
template <int R, int V>
HWY_INLINE void value_tile(const uint16_t* weights, const uint32_t* values, int64_t dims, int64_t P,
                           float* out) {
  __m512 sums[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sums[r][v] = _mm512_load_ps(out + r * kFlashDim + v * kLanes);
  multiply<R, V>(reinterpret_cast<const uint32_t*>(weights), kWalk / 2, values, dims, P, sums);
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) _mm512_store_ps(out + r * kFlashDim + v * kLanes, sums[r][v]);
}

/// V vectors of all rows, in tiles as high as the registers allow.
template <int V>
void value_rows(const uint16_t* weights, const uint32_t* values, int64_t dims, int64_t P, int64_t rows,
                float* out) {
  constexpr int R = V > 4 ? 4 : kTileRows;
  int64_t r = 0;
  for (; r + R <= rows; r += R) value_tile<R, V>(weights + r * kWalk, values, dims, P, out + r * kFlashDim);
  for (; r < rows; ++r) value_tile<1, V>(weights + r * kWalk, values, dims, P, out + r * kFlashDim);
}

void add_values(const uint16_t* weights, const uint32_t* values, int64_t dims, int64_t P, int64_t rows,
                float* out) {
  int64_t c = 0, left = dims / kLanes;
  for (; left > 5; left -= 4, c += 4 * kLanes) value_rows<4>(weights, values + c, dims, P, rows, out + c);
  const auto run = left == 5   ? value_rows<5>
                   : left == 4 ? value_rows<4>
                   : left == 3 ? value_rows<3>
                   : left == 2 ? value_rows<2>
                               : value_rows<1>;
  run(weights, values + c, dims, P, rows, out + c);
}

/// 2^x for x <= 0, within 4e-6 of it: for weights that are rounded to bfloat16 next. 0 where it underflows.
HWY_INLINE __m512 weight_exp2(__m512 x) {
  const __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // x - floor(x)
  __m512 y = _mm512_set1_ps(1.3697665e-2f);
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(5.1690358e-2f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(2.4163845e-1f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(6.9296612e-1f));
  y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(1.0000026f));
  return _mm512_scalef_ps(y, x);  // takes floor(x) itself
}

/// Brings what query r has summed to a higher top.
HWY_INLINE void raise_top(State& s, int64_t r, float top, int64_t dims) {
  if (!(top > s.top[r])) return;
  const __m512 keep = exp2(_mm512_set1_ps(s.top[r] - top));
  for (int64_t c = 0; c < dims; c += kLanes) {
    float* out = s.out + r * kFlashDim + c;
    _mm512_store_ps(out, _mm512_mul_ps(_mm512_load_ps(out), keep));
  }
  s.sum[r] *= _mm512_cvtss_f32(keep);
  s.top[r] = top;
}

/// 16 scores as weights 2^(score * scale - top), 0 where nothing is seen.
HWY_INLINE __m512 weights_of(const float* scores, __m512 scale, __m512 top, int64_t seen) {
  const __m512 w = weight_exp2(_mm512_fmsub_ps(_mm512_load_ps(scores), scale, top));
  return seen >= kLanes ? w : _mm512_maskz_mov_ps(seen > 0 ? first_lanes(seen) : __mmask16{0}, w);
}

/// Scores of one query become weights; they are summed as they are multiplied, rounded: so they add up to 1.
/// @param keys  that the query sees here, 1 to kWalk; @param padded  keys in whole blocks.
HWY_INLINE void soften(State& s, int64_t r, int64_t keys, int64_t padded, int64_t dims, float scale) {
  const float* scores = s.scores + r * kWalk;
  __m512 most = _mm512_load_ps(s.most + r * kLanes);
  if (keys < padded) {
    const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
    most = lowest;
    for (int64_t j = 0; j < keys; j += kLanes)
      most = _mm512_max_ps(most, _mm512_mask_loadu_ps(lowest, first_lanes(keys - j), scores + j));
  }
  raise_top(s, r, _mm512_reduce_max_ps(most) * scale, dims);  // tops are in units of the exponent
  const __m512 top = _mm512_set1_ps(s.top[r]), scales = _mm512_set1_ps(scale);
  const __m512i ones = _mm512_set1_epi32(0x3f803f80);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t j = 0; j < padded; j += 2 * kLanes) {
    const int64_t left = keys - j;
    const __m512i pairs = left >= 2 * kLanes
                              ? narrowed(weights_of(scores + j, scales, top, kLanes),
                                         weights_of(scores + j + kLanes, scales, top, kLanes))
                              : narrowed(weights_of(scores + j, scales, top, left),
                                         weights_of(scores + j + kLanes, scales, top, left - kLanes));
    sum = add_products(sum, pairs, ones);
    _mm512_store_si512(s.weights + r * kWalk + j, pairs);
  }
  s.sum[r] += _mm512_reduce_add_ps(sum);
}

}  // namespace

template <typename T>
void flash_pack_keys(const T* k, int64_t stride, int64_t L, int64_t d, uint32_t* keys) {
  const int64_t P = (d + 1) / 2;
  for (int64_t j = 0; j < blocks_of(L) * kBlock; j += kLanes) {
    const int64_t left = L - j;
    pack_columns(k + (left > 0 ? j : 0) * stride, stride, left > 0 ? left : 0, d,
                 keys + j / kBlock * kBlock * P + j % kBlock, kBlock);
  }
}

template <typename T>
void flash_pack_values(const T* v, int64_t stride, int64_t L, int64_t d, uint32_t* values) {
  const int64_t dims = padded_dims(d);
  for (int64_t j = 0; j < blocks_of(L) * kBlock; j += 2) {
    for (int64_t c = 0; c < dims; c += kLanes) {
      const __m256i even = j < L ? load_narrow(v + j * stride + c, d - c) : _mm256_setzero_si256();
      const __m256i odd = j + 1 < L ? load_narrow(v + (j + 1) * stride + c, d - c) : _mm256_setzero_si256();
      const __m512i pairs =
          _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
      _mm512_storeu_si512(values + j / 2 * dims + c, pairs);
    }
  }
}

void flash_bf16_queries(const FlashKeys& head, const float* q, int64_t q_stride, int64_t rows, int64_t d,
                        float scale, int64_t visible, bool causal, float* out, int64_t out_stride) {
  State s;
  const int64_t P = (d + 1) / 2, dims = padded_dims(d);
  const int64_t last = causal ? visible + rows - 1 : visible;  // keys that the last query sees
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < 2 * P; c += kLanes)
      _mm256_mask_storeu_epi16(s.q + r * 2 * P + c, first_lanes(2 * P - c),
                               load_narrow(q + r * q_stride + c, d - c));
    for (int64_t c = 0; c < dims; c += kLanes)
      _mm512_store_ps(s.out + r * kFlashDim + c, _mm512_setzero_ps());
    s.top[r] = -__builtin_inff();
    s.sum[r] = 0;
  }
  scale *= 1.44269504f;
  for (int64_t first = 0; first < last; first += kWalk) {
    const int64_t keys = last - first < kWalk ? last - first : kWalk,
                  padded = (keys + kBlock - 1) / kBlock * kBlock;
    for (float& most : s.most) most = -__builtin_inff();
    for (int64_t j = 0; j < padded; j += kBlock) {
      const uint32_t* packed = head.keys + (first + j) * P;
      int64_t r = 0;
      for (; r + kTileRows <= rows; r += kTileRows)
        score_tile<kTileRows>(s.q + r * 2 * P, packed, P, s.scores + r * kWalk + j, s.most + r * kLanes);
      for (; r < rows; ++r)
        score_tile<1>(s.q + r * 2 * P, packed, P, s.scores + r * kWalk + j, s.most + r * kLanes);
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t seen = (causal ? visible + r : visible) - first;
      if (seen > 0) {
        soften(s, r, seen < keys ? seen : keys, padded, dims, scale);
      } else {
        for (int64_t j = 0; j < padded; j += kLanes)
          _mm256_store_si256(reinterpret_cast<__m256i*>(s.weights + r * kWalk + j), _mm256_setzero_si256());
      }
    }
    add_values(s.weights, head.values + first / 2 * dims, dims, padded / 2, rows, s.out);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const __m512 one_over = _mm512_set1_ps(1.0f / s.sum[r]);
    for (int64_t c = 0; c < d; c += kLanes)
      _mm512_mask_storeu_ps(out + r * out_stride + c, first_lanes(d - c),
                            _mm512_mul_ps(_mm512_load_ps(s.out + r * kFlashDim + c), one_over));
  }
}

template void flash_pack_keys(const float*, int64_t, int64_t, int64_t, uint32_t*);
template void flash_pack_keys(const uint16_t*, int64_t, int64_t, int64_t, uint32_t*);
template void flash_pack_values(const float*, int64_t, int64_t, int64_t, uint32_t*);
template void flash_pack_values(const uint16_t*, int64_t, int64_t, int64_t, uint32_t*);

}  // namespace vl3::ops
VL3_AFTER_AVX512_BF16

#else

namespace vl3::ops {

template <typename T>
void flash_pack_keys(const T*, int64_t, int64_t, int64_t, uint32_t*) {
  __builtin_trap();
}
template <typename T>
void flash_pack_values(const T*, int64_t, int64_t, int64_t, uint32_t*) {
  __builtin_trap();
}
void flash_bf16_queries(const FlashKeys&, const float*, int64_t, int64_t, int64_t, float, int64_t, bool,
                        float*, int64_t) {
  __builtin_trap();
}

template void flash_pack_keys(const float*, int64_t, int64_t, int64_t, uint32_t*);
template void flash_pack_keys(const uint16_t*, int64_t, int64_t, int64_t, uint32_t*);
template void flash_pack_values(const float*, int64_t, int64_t, int64_t, uint32_t*);
template void flash_pack_values(const uint16_t*, int64_t, int64_t, int64_t, uint32_t*);

}  // namespace vl3::ops

#endif
