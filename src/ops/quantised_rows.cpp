#include "ops/quantised_rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/quantised_rows.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace vl3::ops {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Ints = hn::RebindToSigned<Floats>;
using Vector = hn::Vec<Floats>;

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(Floats())); }

// The first n numbers, zeros behind.
HWY_INLINE Vector load_first(const float* from, int64_t n) {
  float rest[HWY_MAX_BYTES / sizeof(float)] = {};
  std::memcpy(rest, from, static_cast<size_t>(n) * sizeof(float));
  return hn::LoadU(Floats(), rest);
}

HWY_INLINE Vector load_up_to(const float* from, int64_t n) {
  return n >= lanes() ? hn::LoadU(Floats(), from) : load_first(from, n);
}

// Compared as whole numbers, in which NaN > infinity > all others: neither is lost.
HWY_INLINE float greatest(const float* x, int64_t n) {
  const Ints d;
  auto top = hn::Zero(d);
  for (int64_t i = 0; i < n; i += lanes())
    top = hn::Max(top, hn::BitCast(d, hn::Abs(load_up_to(x + i, n - i))));
  const int32_t bits = hn::GetLane(hn::MaxOfLanes(d, top));
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

template <typename T>
HWY_INLINE void round_all(const float* x, int64_t rows, int64_t I, int64_t group, int64_t offset, T* values,
                          int32_t* correction, float* scale) {
  const Ints d;
  const int64_t stride = rounded_stride(I);
  for (int64_t m = 0; m < rows; ++m, x += I, values += stride, correction += I / group) {
    const float top = greatest(x, I);
    const bool finite = top <= std::numeric_limits<float>::max();
    const bool none = !finite || top < 1e-30f;
    scale[m] = finite ? (none ? 0.0f : top / 127.0f) : std::numeric_limits<float>::quiet_NaN();
    if (none) {
      std::fill_n(values, stride, T{0});
      std::fill_n(correction, I / group, 0);
      continue;
    }
    const Vector inverse = hn::Set(Floats(), 127.0f / top);
    // The last step may write past I, up to the stride; groups are multiples of the lanes, or all of I.
    for (int64_t g = 0; g * group < I; ++g) {
      auto sum = hn::Zero(d);
      const int64_t end = (g + 1) * group;
      for (int64_t i = g * group; i < end; i += lanes()) {
        const auto whole = hn::NearestInt(hn::Mul(load_up_to(x + i, end - i), inverse));
        sum = hn::Add(sum, whole);
        hn::StoreU(hn::DemoteTo(hn::Rebind<T, Ints>(), whole), hn::Rebind<T, Ints>(), values + i);
      }
      correction[g] = -static_cast<int32_t>(offset) * hn::GetLane(hn::SumOfLanes(d, sum));
    }
    const int64_t written = (I + lanes() - 1) / lanes() * lanes();
    std::fill(values + written, values + stride, T{0});
  }
}

void round_to_8(const float* x, int64_t rows, int64_t I, int64_t group, int64_t offset, int8_t* values,
                int32_t* correction, float* scale) {
  round_all(x, rows, I, group, offset, values, correction, scale);
}

void round_to_16(const float* x, int64_t rows, int64_t I, int64_t group, int64_t offset, int16_t* values,
                 int32_t* correction, float* scale) {
  round_all(x, rows, I, group, offset, values, correction, scale);
}

// x / (1 + e^-argument).
HWY_INLINE Vector times_sigmoid(Vector x, Vector argument) {
  const Floats d;
  const Vector e = hn::Exp(d, hn::Min(hn::Set(d, 87.0f), hn::Neg(argument)));  // beyond it e^x overflows
  return hn::Div(x, hn::Add(hn::Set(d, 1.0f), e));
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x / (1 + e^(-2 sqrt(2/pi) (...))).
HWY_INLINE Vector gelu(Vector x) {
  const Floats d;
  const Vector cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.044715f), hn::Set(d, 1.0f));
  return times_sigmoid(x, hn::Mul(hn::Mul(x, cubic), hn::Set(d, 1.59576912f)));
}

// to[i] = f(a[i], b[i]); every number goes through the same vector code wherever it stands.
template <typename F>
HWY_INLINE void map_row(const float* a, const float* b, int64_t n, float* to, const F& f) {
  int64_t i = 0;
  for (; i + lanes() <= n; i += lanes())
    hn::StoreU(f(hn::LoadU(Floats(), a + i), hn::LoadU(Floats(), b + i)), Floats(), to + i);
  if (i == n) return;
  float rest[HWY_MAX_BYTES / sizeof(float)];
  hn::StoreU(f(load_first(a + i, n - i), load_first(b + i, n - i)), Floats(), rest);
  std::memcpy(to + i, rest, static_cast<size_t>(n - i) * sizeof(float));
}

void gelu_all(float* x, int64_t rows, int64_t n, int64_t stride) {
  for (int64_t m = 0; m < rows; ++m, x += stride)
    map_row(x, x, n, x, [](Vector value, Vector) HWY_ATTR { return gelu(value); });
}

void swiglu_all(float* gate, const float* up, int64_t rows, int64_t n, int64_t stride, int64_t up_stride) {
  for (int64_t m = 0; m < rows; ++m, gate += stride, up += up_stride)
    map_row(gate, up, n, gate, [](Vector g, Vector u) HWY_ATTR { return hn::Mul(times_sigmoid(g, g), u); });
}

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

HWY_EXPORT(round_to_8);
HWY_EXPORT(round_to_16);
HWY_EXPORT(gelu_all);
HWY_EXPORT(swiglu_all);

void round_rows(const float* x, int64_t rows, int64_t I, int64_t group, int64_t offset, int8_t* values,
                int32_t* correction, float* scale) {
  HWY_DYNAMIC_DISPATCH(round_to_8)(x, rows, I, group, offset, values, correction, scale);
}

void round_rows(const float* x, int64_t rows, int64_t I, int64_t group, int64_t offset, int16_t* values,
                int32_t* correction, float* scale) {
  HWY_DYNAMIC_DISPATCH(round_to_16)(x, rows, I, group, offset, values, correction, scale);
}

void gelu_rows(float* x, int64_t rows, int64_t n, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(gelu_all)(x, rows, n, stride);
}

void swiglu_rows(float* gate, const float* up, int64_t rows, int64_t n, int64_t stride, int64_t up_stride) {
  HWY_DYNAMIC_DISPATCH(swiglu_all)(gate, up, rows, n, stride, up_stride);
}

}  // namespace vl3::ops
#endif
