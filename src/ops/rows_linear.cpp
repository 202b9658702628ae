#include "ops/rows_linear.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rows_linear.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vl3::ops {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

// Fewer numbers than a vector holds; the others are 0.
HWY_INLINE Vector load_rest(const float* from, int64_t count) {
  float rest[HWY_MAX_BYTES / sizeof(float)] = {};
  for (int64_t k = 0; k < count; ++k) rest[k] = from[k];
  return hn::LoadU(Floats(), rest);
}

// R rows times C outputs, each with an accumulator of its own over the whole of I: the order of additions of
// a pair (row, output) is the same in every tile.
template <int R, int C>
HWY_INLINE void tile(const float* x, const float* w, float* y, int64_t I, int64_t O) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  Vector sum[R][C];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) sum[r][c] = hn::Zero(d);
  }
  int64_t i = 0;
  for (; i + lanes <= I; i += lanes) {
    Vector weight[C];
    for (int c = 0; c < C; ++c) weight[c] = hn::LoadU(d, w + c * I + i);
    for (int r = 0; r < R; ++r) {
      const Vector value = hn::LoadU(d, x + r * I + i);
      for (int c = 0; c < C; ++c) sum[r][c] = hn::MulAdd(value, weight[c], sum[r][c]);
    }
  }
  if (i < I) {
    Vector weight[C];
    for (int c = 0; c < C; ++c) weight[c] = load_rest(w + c * I + i, I - i);
    for (int r = 0; r < R; ++r) {
      const Vector value = load_rest(x + r * I + i, I - i);
      for (int c = 0; c < C; ++c) sum[r][c] = hn::MulAdd(value, weight[c], sum[r][c]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) y[r * O + c] = hn::GetLane(hn::SumOfLanes(d, sum[r][c]));
  }
}

template <int C>
HWY_INLINE void column(const float* x, const float* w, float* y, int64_t rows, int64_t I, int64_t O) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) tile<4, C>(x + r * I, w, y + r * O, I, O);
  for (; r < rows; ++r) tile<1, C>(x + r * I, w, y + r * O, I, O);
}

// So many rows that they stay in the second-level cache while the weights pass by.
constexpr int64_t kRowBytes = 384 << 10;

void linear(const float* x, const float* w, float* y, int64_t rows, int64_t I, int64_t O, int64_t o_begin,
            int64_t o_end) {
  const int64_t block = std::max<int64_t>(4, kRowBytes / (4 * I) / 4 * 4);
  for (int64_t r = 0; r < rows; r += block) {
    const int64_t n = std::min(block, rows - r);
    const float* xr = x + r * I;
    float* yr = y + r * O;
    int64_t o = o_begin;
    for (; o + 4 <= o_end; o += 4) column<4>(xr, w + o * I, yr + o, n, I, O);
    for (; o < o_end; ++o) column<1>(xr, w + o * I, yr + o, n, I, O);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

HWY_EXPORT(linear);

void rows_linear(const float* x, const float* w, float* y, int64_t rows, int64_t I, int64_t O,
                 int64_t o_begin, int64_t o_end) {
  HWY_DYNAMIC_DISPATCH(linear)(x, w, y, rows, I, O, o_begin, o_end);
}

}  // namespace vl3::ops
#endif
