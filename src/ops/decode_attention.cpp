#include "ops/decode_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/decode_attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

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
HWY_INLINE float widen_one(float value) { return value; }
HWY_INLINE float widen_one(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float wide;
  __builtin_memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

// scores[r * n + j] = q[r] . k[j] for R queries that share every load of a key.
template <int R, typename T>
HWY_INLINE void score_rows(const float* q, const T* k, int64_t d, int64_t n, float* scores) {
  const Floats tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  for (int64_t j = 0; j < n; ++j, k += d) {
    Vector sum[R];
    for (int r = 0; r < R; ++r) sum[r] = hn::Zero(tag);
    int64_t i = 0;
    for (; i + lanes <= d; i += lanes) {
      const Vector key = load_wide(k + i);
      for (int r = 0; r < R; ++r) sum[r] = hn::MulAdd(key, hn::LoadU(tag, q + r * d + i), sum[r]);
    }
    for (int r = 0; r < R; ++r) {
      float dot = hn::GetLane(hn::SumOfLanes(tag, sum[r]));
      for (int64_t rest = i; rest < d; ++rest) dot += q[r * d + rest] * widen_one(k[rest]);
      scores[r * n + j] = dot;
    }
  }
}

// out[r] = sum_j weights[r * n + j] * v[j], a pair of vectors of dims at a time kept in registers over all
// keys.
template <int R, typename T>
HWY_INLINE void weigh_rows(const float* weights, const T* v, int64_t d, int64_t n, float* out) {
  const Floats tag;
  const auto lanes = static_cast<int64_t>(hn::Lanes(tag));
  int64_t i = 0;
  for (; i + 2 * lanes <= d; i += 2 * lanes) {
    Vector low[R], high[R];
    for (int r = 0; r < R; ++r) low[r] = high[r] = hn::Zero(tag);
    for (int64_t j = 0; j < n; ++j) {
      const Vector v0 = load_wide(v + j * d + i), v1 = load_wide(v + j * d + i + lanes);
      for (int r = 0; r < R; ++r) {
        const Vector weight = hn::Set(tag, weights[r * n + j]);
        low[r] = hn::MulAdd(weight, v0, low[r]);
        high[r] = hn::MulAdd(weight, v1, high[r]);
      }
    }
    for (int r = 0; r < R; ++r) {
      hn::StoreU(low[r], tag, out + r * d + i);
      hn::StoreU(high[r], tag, out + r * d + i + lanes);
    }
  }
  for (; i < d; ++i) {
    for (int r = 0; r < R; ++r) {
      float sum = 0.0f;
      for (int64_t j = 0; j < n; ++j) sum += weights[r * n + j] * widen_one(v[j * d + i]);
      out[r * d + i] = sum;
    }
  }
}

// Calls with<R>(first row) for groups of up to four rows.
template <typename With>
HWY_INLINE void in_groups(int64_t rows, const With& with) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) with(std::integral_constant<int, 4>(), r);
  if (rows - r == 3) with(std::integral_constant<int, 3>(), r);
  if (rows - r == 2) with(std::integral_constant<int, 2>(), r);
  if (rows - r == 1) with(std::integral_constant<int, 1>(), r);
}

template <typename T>
HWY_INLINE void attend(const float* q, const T* k, const T* v, int64_t d, int64_t rows, int64_t begin,
                       int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  const int64_t n = end - begin;
  std::vector<float> scores(static_cast<size_t>(rows * n));
  in_groups(rows, [&](auto R, int64_t r) HWY_ATTR {
    score_rows<decltype(R)::value>(q + r * d, k + begin * d, d, n, scores.data() + r * n);
  });
  for (int64_t r = 0; r < rows; ++r) {
    float* row = scores.data() + r * n;
    const int64_t visible = std::clamp<int64_t>(last[r] - begin, 0, n);
    std::fill(row + visible, row + n, kNone);
    const float top = *std::max_element(row, row + n);
    float sum = 0.0f;
    for (int64_t j = 0; j < n; ++j) {
      row[j] = j < visible ? std::exp(row[j] - top) : 0.0f;
      sum += row[j];
    }
    partial[r] = {top, sum};
  }
  in_groups(rows, [&](auto R, int64_t r) HWY_ATTR {
    weigh_rows<decltype(R)::value>(scores.data() + r * n, v + begin * d, d, n, out + r * d);
  });
}

void attend_bf16(const float* q, const uint16_t* k, const uint16_t* v, int64_t d, int64_t rows, int64_t begin,
                 int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  attend(q, k, v, d, rows, begin, end, last, partial, out);
}

void attend_f32(const float* q, const float* k, const float* v, int64_t d, int64_t rows, int64_t begin,
                int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  attend(q, k, v, d, rows, begin, end, last, partial, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

HWY_EXPORT(attend_bf16);
HWY_EXPORT(attend_f32);

void attend_range(const float* q, const uint16_t* k, const uint16_t* v, int64_t d, int64_t rows,
                  int64_t begin, int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  HWY_DYNAMIC_DISPATCH(attend_bf16)(q, k, v, d, rows, begin, end, last, partial, out);
}

void attend_range(const float* q, const float* k, const float* v, int64_t d, int64_t rows, int64_t begin,
                  int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  HWY_DYNAMIC_DISPATCH(attend_f32)(q, k, v, d, rows, begin, end, last, partial, out);
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
