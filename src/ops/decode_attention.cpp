#include "ops/decode_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/decode_attention.cpp"
// clang-format off
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace vl3::ops {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

HWY_INLINE Vector load_wide(const float* from) { return hn::LoadU(Floats(), from); }
HWY_INLINE Vector load_wide(const uint16_t* from) {
  const hn::RebindToUnsigned<Floats> bits32;
  return hn::BitCast(
      Floats(), hn::ShiftLeft<16>(hn::PromoteTo(bits32, hn::LoadU(hn::Rebind<uint16_t, Floats>(), from))));
}
HWY_INLINE Vector load_wide(const int8_t* from) {
  const hn::RebindToSigned<Floats> int32;
  return hn::ConvertTo(Floats(), hn::PromoteTo(int32, hn::LoadU(hn::Rebind<int8_t, Floats>(), from)));
}
HWY_INLINE float widen_one(float value) { return value; }
HWY_INLINE float widen_one(int8_t value) { return value; }
HWY_INLINE float widen_one(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float wide;
  __builtin_memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(Floats())); }

// Rows and vectors whose accumulators fit the registers.
constexpr int kScoreRows = HWY_TARGET == HWY_AVX3 ? 6 : 2;
constexpr int kWeighRows = HWY_TARGET == HWY_AVX3 ? 6 : 4;
constexpr int kWeighVectors = HWY_TARGET == HWY_AVX3 ? 4 : 2;
constexpr int64_t kWeighKeys = 64;  // whose values stay in the first-level cache while all dims pass

// Calls with<R>(first row) for groups of up to kMost rows. What a row gets does not depend on its group.
template <int kMost, typename With>
HWY_INLINE void in_groups(int64_t rows, const With& with, int64_t r = 0) {
  for (; r + kMost <= rows; r += kMost) with(std::integral_constant<int, kMost>(), r);
  if constexpr (kMost > 1) {
    if (r < rows) in_groups<kMost - 1>(rows, with, r);
  }
}

// Asks for the numbers that the loop comes to kAhead bytes later: a long cache comes from memory.
constexpr int64_t kAhead = 4096, kLine = 64;
template <typename T>
HWY_INLINE void prefetch(const T* from, int64_t count) {
  constexpr int64_t kBytes = sizeof(T);
  for (int64_t i = 0; i < count; i += kLine / kBytes) hwy::Prefetch(from + kAhead / kBytes + i);
}

#if HWY_TARGET == HWY_SCALAR

constexpr int64_t kKeysAtOnce = 1;

// scores[r] = q[r] . key.
template <int R, typename T>
HWY_INLINE void score_keys(const float* q, const T* k, int64_t, int64_t, int64_t d, float* scores,
                           int64_t stride) {
  for (int r = 0; r < R; ++r) {
    float dot = 0.0f;
    for (int64_t i = 0; i < d; ++i) dot += q[r * d + i] * widen_one(k[i]);
    scores[r * stride] = dot;
  }
}

#else

constexpr int64_t kKeysAtOnce = HWY_MAX_BYTES / sizeof(float);  // at most: one a lane

// The sums of neighbouring lanes of a, then of b.
HWY_INLINE Vector add_pairs(Vector a, Vector b) {
  const Floats tag;
  return hn::Add(hn::ConcatEven(tag, b, a), hn::ConcatOdd(tag, b, a));
}

// scores[r * stride + j] = q[r] . k[j] for as many keys as a vector has lanes, `count` of which exist. Four
// keys at a time share the loads of the queries; their vectors of partial sums are then added up across lanes
// together.
template <int R, typename T>
HWY_INLINE void score_keys(const float* q, const T* k, int64_t first, int64_t count, int64_t d, float* scores,
                           int64_t stride) {
  const Floats tag;
  const int64_t blocks = lanes() / 4;
  Vector partial[R][HWY_MAX_BYTES / 16];
  for (int64_t b = 0; b < blocks; ++b) {
    const T* key[4];
    for (int64_t c = 0; c < 4; ++c) key[c] = k + (first + std::min(4 * b + c, count - 1)) * d;
    prefetch(key[0], 4 * d);
    Vector sum[R][4];
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      HWY_UNROLL(4)
      for (int c = 0; c < 4; ++c) sum[r][c] = hn::Zero(tag);
    }
    for (int64_t i = 0; i + lanes() <= d; i += lanes()) {
      Vector wide[4];
      HWY_UNROLL(4)
      for (int c = 0; c < 4; ++c) wide[c] = load_wide(key[c] + i);
      HWY_UNROLL(8)
      for (int r = 0; r < R; ++r) {
        const Vector query = hn::LoadU(tag, q + r * d + i);
        HWY_UNROLL(4)
        for (int c = 0; c < 4; ++c) sum[r][c] = hn::MulAdd(wide[c], query, sum[r][c]);
      }
    }
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r)
      partial[r][b] = add_pairs(add_pairs(sum[r][0], sum[r][1]), add_pairs(sum[r][2], sum[r][3]));
  }
  float found[HWY_MAX_BYTES / sizeof(float)];
  for (int r = 0; r < R; ++r) {
    for (int64_t n = blocks; n > 1; n /= 2) {
      for (int64_t b = 0; b < n / 2; ++b) partial[r][b] = add_pairs(partial[r][2 * b], partial[r][2 * b + 1]);
    }
    hn::StoreU(partial[r][0], tag, found);
    for (int64_t j = 0; j < count; ++j) {
      float dot = found[j];
      for (int64_t i = d / lanes() * lanes(); i < d; ++i)
        dot += q[r * d + i] * widen_one(k[(first + j) * d + i]);
      scores[r * stride + j] = dot;
    }
  }
}

#endif

template <int R, typename T>
HWY_INLINE void score_rows(const float* q, const T* k, int64_t d, int64_t n, float* scores) {
  const int64_t step = std::min(lanes(), kKeysAtOnce);
  for (int64_t j = 0; j < n; j += step) {
#if HWY_TARGET == HWY_SCALAR
    score_keys<R>(q, k + j * d, 0, 1, d, scores + j, n);
#else
    score_keys<R>(q, k, j, std::min(step, n - j), d, scores + j, n);
#endif
  }
}

// scores[0, visible) = exp(score - max), zeros behind, and their sum. One score that is not finite makes all
// of them NaN: maxima and Exp would pass over it.
HWY_INLINE AttentionPartial weights_of(float* scores, int64_t visible, int64_t n) {
  const Floats tag;
  std::fill(scores + visible, scores + n, 0.0f);
  if (visible == 0) return {-std::numeric_limits<float>::infinity(), 0.0f};
  float top = scores[0], nothing = 0.0f;  // 0 * score, summed
  int64_t j = 0;
  if (visible >= lanes()) {
    Vector most = hn::LoadU(tag, scores), zeros = hn::Zero(tag);
    for (; j + lanes() <= visible; j += lanes()) {
      const Vector score = hn::LoadU(tag, scores + j);
      most = hn::Max(most, score);
      zeros = hn::MulAdd(score, hn::Zero(tag), zeros);
    }
    top = hn::GetLane(hn::MaxOfLanes(tag, most));
    nothing = hn::GetLane(hn::SumOfLanes(tag, zeros));
  }
  for (; j < visible; ++j) {
    top = std::max(top, scores[j]);
    nothing += 0.0f * scores[j];
  }
  if (!(nothing == 0.0f)) {
    std::fill(scores, scores + visible, std::numeric_limits<float>::quiet_NaN());
    return {0.0f, std::numeric_limits<float>::quiet_NaN()};
  }
  const Vector all_top = hn::Set(tag, top);
  Vector sum = hn::Zero(tag);
  for (j = 0; j + lanes() <= visible; j += lanes()) {
    const Vector weight = hn::Exp(tag, hn::Sub(hn::LoadU(tag, scores + j), all_top));
    hn::StoreU(weight, tag, scores + j);
    sum = hn::Add(sum, weight);
  }
  float total = hn::GetLane(hn::SumOfLanes(tag, sum));
  for (; j < visible; ++j) {
    scores[j] = std::exp(scores[j] - top);
    total += scores[j];
  }
  return {top, total};
}

// out[r][0, V vectors) (+)= sum_j weights[r * stride + j] * v[j] for `keys` keys.
template <int R, int V, typename T>
HWY_INLINE void weigh_keys(const float* weights, int64_t stride, const T* v, int64_t keys, int64_t d,
                           bool adds, float* out) {
  const Floats tag;
  Vector sum[R][V];
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int c = 0; c < V; ++c) sum[r][c] = adds ? hn::LoadU(tag, out + r * d + c * lanes()) : hn::Zero(tag);
  }
  for (int64_t j = 0; j < keys; ++j, v += d) {
    prefetch(v, V * lanes());
    Vector wide[V];
    HWY_UNROLL(8)
    for (int c = 0; c < V; ++c) wide[c] = load_wide(v + c * lanes());
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      const Vector weight = hn::Set(tag, weights[r * stride + j]);
      HWY_UNROLL(8)
      for (int c = 0; c < V; ++c) sum[r][c] = hn::MulAdd(weight, wide[c], sum[r][c]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int c = 0; c < V; ++c) hn::StoreU(sum[r][c], tag, out + r * d + c * lanes());
  }
}

// out[r] = sum_j weights[r * n + j] * v[j].
template <int R, typename T>
HWY_INLINE void weigh_rows(const float* weights, const T* v, int64_t d, int64_t n, float* out) {
  for (int64_t first = 0; first < n; first += kWeighKeys) {
    const int64_t keys = std::min(kWeighKeys, n - first);
    const float* w = weights + first;
    const T* from = v + first * d;
    int64_t i = 0;
    for (; i + kWeighVectors * lanes() <= d; i += kWeighVectors * lanes())
      weigh_keys<R, kWeighVectors>(w, n, from + i, keys, d, first > 0, out + i);
    for (; i + lanes() <= d; i += lanes()) weigh_keys<R, 1>(w, n, from + i, keys, d, first > 0, out + i);
    for (; i < d; ++i) {
      for (int r = 0; r < R; ++r) {
        float sum = first > 0 ? out[r * d + i] : 0.0f;
        for (int64_t j = 0; j < keys; ++j) sum += w[r * n + j] * widen_one(from[j * d + i]);
        out[r * d + i] = sum;
      }
    }
  }
}

// scores[r * n + j] *= scale[j].
HWY_INLINE void scale_columns(const float* scale, int64_t rows, int64_t n, float* scores) {
  const Floats tag;
  for (int64_t r = 0; r < rows; ++r, scores += n) {
    int64_t j = 0;
    for (; j + lanes() <= n; j += lanes())
      hn::StoreU(hn::Mul(hn::LoadU(tag, scores + j), hn::LoadU(tag, scale + j)), tag, scores + j);
    for (; j < n; ++j) scores[j] *= scale[j];
  }
}

// Scales of keys and values may be null: none.
template <typename T>
HWY_INLINE void attend(const float* q, const T* k, const T* v, const float* k_scale, const float* v_scale,
                       int64_t d, int64_t rows, int64_t begin, int64_t end, const int64_t* last,
                       AttentionPartial* partial, float* out) {
  const int64_t n = end - begin;
  std::vector<float> scores(static_cast<size_t>(rows * n));
  in_groups<kScoreRows>(rows, [&](auto R, int64_t r) HWY_ATTR {
    score_rows<decltype(R)::value>(q + r * d, k + begin * d, d, n, scores.data() + r * n);
  });
  if (k_scale != nullptr) scale_columns(k_scale + begin, rows, n, scores.data());
  for (int64_t r = 0; r < rows; ++r)
    partial[r] = weights_of(scores.data() + r * n, std::clamp<int64_t>(last[r] - begin, 0, n), n);
  if (v_scale != nullptr) scale_columns(v_scale + begin, rows, n, scores.data());
  in_groups<kWeighRows>(rows, [&](auto R, int64_t r) HWY_ATTR {
    weigh_rows<decltype(R)::value>(scores.data() + r * n, v + begin * d, d, n, out + r * d);
  });
}

void attend_bf16(const float* q, const uint16_t* k, const uint16_t* v, int64_t d, int64_t rows, int64_t begin,
                 int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  attend(q, k, v, nullptr, nullptr, d, rows, begin, end, last, partial, out);
}

void attend_f32(const float* q, const float* k, const float* v, int64_t d, int64_t rows, int64_t begin,
                int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  attend(q, k, v, nullptr, nullptr, d, rows, begin, end, last, partial, out);
}

void attend_int8(const float* q, const int8_t* k, const int8_t* v, const float* k_scale, const float* v_scale,
                 int64_t d, int64_t rows, int64_t begin, int64_t end, const int64_t* last,
                 AttentionPartial* partial, float* out) {
  attend(q, k, v, k_scale, v_scale, d, rows, begin, end, last, partial, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

HWY_EXPORT(attend_bf16);
HWY_EXPORT(attend_f32);
HWY_EXPORT(attend_int8);

void attend_range(const float* q, const uint16_t* k, const uint16_t* v, int64_t d, int64_t rows,
                  int64_t begin, int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  HWY_DYNAMIC_DISPATCH(attend_bf16)(q, k, v, d, rows, begin, end, last, partial, out);
}

void attend_range(const float* q, const float* k, const float* v, int64_t d, int64_t rows, int64_t begin,
                  int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  HWY_DYNAMIC_DISPATCH(attend_f32)(q, k, v, d, rows, begin, end, last, partial, out);
}

void attend_range(const float* q, const int8_t* k, const int8_t* v, const float* k_scale,
                  const float* v_scale, int64_t d, int64_t rows, int64_t begin, int64_t end,
                  const int64_t* last, AttentionPartial* partial, float* out) {
  HWY_DYNAMIC_DISPATCH(attend_int8)(q, k, v, k_scale, v_scale, d, rows, begin, end, last, partial, out);
}

void merge_partials(const AttentionPartial* partial, const float* values, int64_t parts, int64_t stride,
                    int64_t value_stride, int64_t d, float* out) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t p = 0; p < parts; ++p) top = std::max(top, partial[p * stride].max);
  std::fill(out, out + d, 0.0f);
  float sum = 0.0f;
  for (int64_t p = 0; p < parts; ++p) {
    const AttentionPartial& part = partial[p * stride];
    if (part.sum == 0.0f) continue;
    const float weight = std::exp(part.max - top);
    sum += weight * part.sum;
    for (int64_t i = 0; i < d; ++i) out[i] += weight * values[p * value_stride + i];
  }
  for (int64_t i = 0; i < d; ++i) out[i] /= sum;
}

}  // namespace vl3::ops
#endif
