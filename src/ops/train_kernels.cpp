#include "ops/train_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/train_kernels.cpp"
// This order is Highway's rule, not the alphabet's.
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
using Vector = hn::Vec<Floats>;

HWY_INLINE Vector load(const float* from) { return hn::LoadU(Floats(), from); }
HWY_INLINE Vector load(const uint16_t* from) {
  const hn::RebindToUnsigned<Floats> bits;
  const hn::Rebind<uint16_t, Floats> half;
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(bits, hn::LoadU(half, from))));
}
HWY_INLINE void store(Vector value, float* to) { hn::StoreU(value, Floats(), to); }
// Round to nearest even, as every bfloat16 conversion of libtorch. A NaN stays one: its quiet bit is in the
// upper half.
HWY_INLINE void store(Vector value, uint16_t* to) {
  const hn::RebindToUnsigned<Floats> bits;
  const hn::Rebind<uint16_t, Floats> half;
  const auto wide = hn::BitCast(bits, value);
  const auto odd = hn::And(hn::ShiftRight<16>(wide), hn::Set(bits, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(wide, hn::Add(odd, hn::Set(bits, 0x7fff))));
  const auto is_nan = hn::RebindMask(bits, hn::IsNaN(value));
  hn::StoreU(hn::TruncateTo(half, hn::IfThenElse(is_nan, hn::Set(bits, 0x7fc0), rounded)), half, to);
}

HWY_INLINE float widen(float value) { return value; }
HWY_INLINE float widen(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float wide;
  __builtin_memcpy(&wide, &bits, sizeof(wide));
  return wide;
}
HWY_INLINE void narrow(float value, float* to) { *to = value; }
HWY_INLINE void narrow(float value, uint16_t* to) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  *to = value != value ? uint16_t{0x7fc0} : static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(Floats())); }

template <typename T>
void rms_forward(const T* x, const T* w, T* y, float* rstd, int64_t rows, int64_t D, float eps) {
  const Floats d;
  for (int64_t r = 0; r < rows; ++r, x += D, y += D) {
    auto sum = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes() <= D; i += lanes()) {
      const auto v = load(x + i);
      sum = hn::MulAdd(v, v, sum);
    }
    float total = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; i < D; ++i) total += widen(x[i]) * widen(x[i]);
    const float scale = 1.0F / __builtin_sqrtf(total / static_cast<float>(D) + eps);
    rstd[r] = scale;
    for (i = 0; i + lanes() <= D; i += lanes())
      store(hn::Mul(hn::Mul(load(x + i), hn::Set(d, scale)), load(w + i)), y + i);
    for (; i < D; ++i) narrow(widen(x[i]) * scale * widen(w[i]), y + i);
  }
}

// With n = x * rstd: dw = sum dy * n; dx = rstd * (dy * w - n * mean(dy * w * n)).
template <typename T>
void rms_backward(const T* x, const T* w, const float* rstd, const T* dy, T* dx, float* dw, int64_t rows,
                  int64_t D) {
  const Floats d;
  for (int64_t r = 0; r < rows; ++r, x += D, dy += D) {
    const float scale = rstd[r];
    const auto scales = hn::Set(d, scale);
    auto sum = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes() <= D; i += lanes()) {
      const auto n = hn::Mul(load(x + i), scales), g = load(dy + i);
      sum = hn::MulAdd(hn::Mul(g, load(w + i)), n, sum);
      if (dw != nullptr) store(hn::MulAdd(g, n, load(dw + i)), dw + i);
    }
    float total = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; i < D; ++i) {
      const float n = widen(x[i]) * scale, g = widen(dy[i]);
      total += g * widen(w[i]) * n;
      if (dw != nullptr) dw[i] += g * n;
    }
    if (dx == nullptr) continue;
    const float mean = total / static_cast<float>(D);
    for (i = 0; i + lanes() <= D; i += lanes()) {
      const auto n = hn::Mul(load(x + i), scales);
      store(hn::Mul(scales, hn::NegMulAdd(n, hn::Set(d, mean), hn::Mul(load(dy + i), load(w + i)))), dx + i);
    }
    for (; i < D; ++i) {
      const float n = widen(x[i]) * scale;
      narrow(scale * (widen(dy[i]) * widen(w[i]) - n * mean), dx + i);
    }
    dx += D;
  }
}

HWY_INLINE Vector sigmoid(Vector x) {
  const Floats d;
  const auto one = hn::Set(d, 1.0F);
  x = hn::Clamp(x, hn::Set(d, -87.0F), hn::Set(d, 87.0F));  // beyond it the exponential overflows
  return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Neg(x))));
}

template <typename T>
HWY_INLINE void swiglu_vector(const T* gate, const T* up, T* h) {
  const auto g = load(gate);
  store(hn::Mul(hn::Mul(g, sigmoid(g)), load(up)), h);
}

template <typename T>
HWY_INLINE void swiglu_backward_vector(const T* gate, const T* up, const T* dh, T* dgate, T* dup) {
  const Floats d;
  const auto g = load(gate), s = sigmoid(g), y = load(dh);
  const auto silu = hn::Mul(g, s);
  // silu' = s + g s (1 - s) = s + silu (1 - s)
  const auto slope = hn::MulAdd(silu, hn::Sub(hn::Set(d, 1.0F), s), s);
  const auto u = load(up);
  store(hn::Mul(y, silu), dup);
  store(hn::Mul(hn::Mul(y, u), slope), dgate);
}

template <typename T>
void swiglu_forward_all(const T* gate, const T* up, T* h, int64_t n) {
  int64_t i = 0;
  for (; i + lanes() <= n; i += lanes()) swiglu_vector(gate + i, up + i, h + i);
  if (i == n) return;
  T g[HWY_MAX_BYTES / 4] = {}, u[HWY_MAX_BYTES / 4] = {}, y[HWY_MAX_BYTES / 4] = {};
  for (int64_t k = i; k < n; ++k) g[k - i] = gate[k], u[k - i] = up[k];
  swiglu_vector(g, u, y);
  for (int64_t k = i; k < n; ++k) h[k] = y[k - i];
}

template <typename T>
void swiglu_backward_all(const T* gate, const T* up, const T* dh, T* dgate, T* dup, int64_t n) {
  int64_t i = 0;
  for (; i + lanes() <= n; i += lanes()) swiglu_backward_vector(gate + i, up + i, dh + i, dgate + i, dup + i);
  if (i == n) return;
  T g[HWY_MAX_BYTES / 4] = {}, u[HWY_MAX_BYTES / 4] = {}, y[HWY_MAX_BYTES / 4] = {};
  T dg[HWY_MAX_BYTES / 4] = {}, du[HWY_MAX_BYTES / 4] = {};
  for (int64_t k = i; k < n; ++k) g[k - i] = gate[k], u[k - i] = up[k], y[k - i] = dh[k];
  swiglu_backward_vector(g, u, y, dg, du);
  for (int64_t k = i; k < n; ++k) dgate[k] = dg[k - i], dup[k] = du[k - i];
}

template <typename T>
void rope_all(const T* x, const float* cos, const float* sin, T* y, int64_t heads, int64_t half,
              float direction) {
  const Floats d;
  for (int64_t h = 0; h < heads; ++h, x += 2 * half, y += 2 * half) {
    int64_t i = 0;
    for (; i + lanes() <= half; i += lanes()) {
      const auto a = load(x + i), b = load(x + half + i), c = hn::LoadU(d, cos + i);
      const auto s = hn::Mul(hn::LoadU(d, sin + i), hn::Set(d, direction));
      store(hn::NegMulAdd(b, s, hn::Mul(a, c)), y + i);
      store(hn::MulAdd(a, s, hn::Mul(b, c)), y + half + i);
    }
    for (; i < half; ++i) {
      const float a = widen(x[i]), b = widen(x[half + i]), s = sin[i] * direction;
      narrow(a * cos[i] - b * s, y + i);
      narrow(b * cos[i] + a * s, y + half + i);
    }
  }
}

// Highway exports plain functions, one a type.
// NOLINTBEGIN(bugprone-macro-parentheses): T is a type.
#define VL3_BOTH(suffix, T)                                                                                  \
  void rms_forward_##suffix(const T* x, const T* w, T* y, float* rstd, int64_t rows, int64_t D, float eps) { \
    rms_forward(x, w, y, rstd, rows, D, eps);                                                                \
  }                                                                                                          \
  void rms_backward_##suffix(const T* x, const T* w, const float* rstd, const T* dy, T* dx, float* dw,       \
                             int64_t rows, int64_t D) {                                                      \
    rms_backward(x, w, rstd, dy, dx, dw, rows, D);                                                           \
  }                                                                                                          \
  void swiglu_forward_##suffix(const T* gate, const T* up, T* h, int64_t n) {                                \
    swiglu_forward_all(gate, up, h, n);                                                                      \
  }                                                                                                          \
  void swiglu_backward_##suffix(const T* gate, const T* up, const T* dh, T* dgate, T* dup, int64_t n) {      \
    swiglu_backward_all(gate, up, dh, dgate, dup, n);                                                        \
  }                                                                                                          \
  void rope_##suffix(const T* x, const float* cos, const float* sin, T* y, int64_t heads, int64_t half,      \
                     float turn) {                                                                           \
    rope_all(x, cos, sin, y, heads, half, turn);                                                             \
  }
VL3_BOTH(f32, float)
VL3_BOTH(bf16, uint16_t)
#undef VL3_BOTH
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

// NOLINTBEGIN(bugprone-macro-parentheses)
#define VL3_DISPATCH(suffix, T)                                                                         \
  HWY_EXPORT(rms_forward_##suffix);                                                                     \
  HWY_EXPORT(rms_backward_##suffix);                                                                    \
  HWY_EXPORT(swiglu_forward_##suffix);                                                                  \
  HWY_EXPORT(swiglu_backward_##suffix);                                                                 \
  HWY_EXPORT(rope_##suffix);                                                                            \
  template <>                                                                                           \
  void rms_norm_rows(const T* x, const T* w, T* y, float* rstd, int64_t rows, int64_t D, float eps) {   \
    HWY_DYNAMIC_DISPATCH(rms_forward_##suffix)(x, w, y, rstd, rows, D, eps);                            \
  }                                                                                                     \
  template <>                                                                                           \
  void rms_norm_rows_backward(const T* x, const T* w, const float* rstd, const T* dy, T* dx, float* dw, \
                              int64_t rows, int64_t D) {                                                \
    HWY_DYNAMIC_DISPATCH(rms_backward_##suffix)(x, w, rstd, dy, dx, dw, rows, D);                       \
  }                                                                                                     \
  template <>                                                                                           \
  void swiglu(const T* gate, const T* up, T* h, int64_t n) {                                            \
    HWY_DYNAMIC_DISPATCH(swiglu_forward_##suffix)(gate, up, h, n);                                      \
  }                                                                                                     \
  template <>                                                                                           \
  void swiglu_backward(const T* gate, const T* up, const T* dh, T* dgate, T* dup, int64_t n) {          \
    HWY_DYNAMIC_DISPATCH(swiglu_backward_##suffix)(gate, up, dh, dgate, dup, n);                        \
  }                                                                                                     \
  template <>                                                                                           \
  void rope_heads(const T* x, const float* cos, const float* sin, T* y, int64_t heads, int64_t half,    \
                  float turn) {                                                                         \
    HWY_DYNAMIC_DISPATCH(rope_##suffix)(x, cos, sin, y, heads, half, turn);                             \
  }
VL3_DISPATCH(f32, float)
VL3_DISPATCH(bf16, uint16_t)
#undef VL3_DISPATCH
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace vl3::ops
#endif
