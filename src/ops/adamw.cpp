#include "ops/adamw.h"

#include <cmath>

#ifndef VL3_OPS_ADAMW_CONSTANTS
#define VL3_OPS_ADAMW_CONSTANTS
namespace vl3::ops {
/// What is the same for all weights of a step; one type for every instruction set.
struct AdamWConstants {
  float decay, take1, keep2, take2, correction, step_size, epsilon, scale;
};
}  // namespace vl3::ops
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/adamw.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vl3::ops {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

// Round to nearest even, as every bfloat16 conversion of libtorch.
HWY_INLINE void store_bf16(hn::Vec<Floats> value, uint16_t* to) {
  const hn::RebindToUnsigned<Floats> bits;
  const hn::Rebind<uint16_t, Floats> half;
  const auto wide = hn::BitCast(bits, value);
  const auto odd = hn::And(hn::ShiftRight<16>(wide), hn::Set(bits, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(wide, hn::Add(odd, hn::Set(bits, 0x7fff))));
  hn::StoreU(hn::TruncateTo(half, rounded), half, to);
}

// The arithmetic of one vector, shared by the loop and its tail.
HWY_INLINE hn::Vec<Floats> update(const AdamWConstants& c, hn::Vec<Floats> w, hn::Vec<Floats> g, float* m_at,
                                  float* v_at) {
  const Floats d;
  g = hn::Mul(g, hn::Set(d, c.scale));
  const auto m0 = hn::LoadU(d, m_at);
  const auto m = hn::MulAdd(hn::Sub(g, m0), hn::Set(d, c.take1), m0);
  const auto v =
      hn::MulAdd(hn::Mul(g, hn::Set(d, c.take2)), g, hn::Mul(hn::LoadU(d, v_at), hn::Set(d, c.keep2)));
  hn::StoreU(m, d, m_at);
  hn::StoreU(v, d, v_at);
  const auto denominator = hn::MulAdd(hn::Sqrt(v), hn::Set(d, c.correction), hn::Set(d, c.epsilon));
  return hn::NegMulAdd(hn::Set(d, c.step_size), hn::Div(m, denominator), hn::Mul(w, hn::Set(d, c.decay)));
}

void adamw_all(const AdamWConstants& c, int64_t n, float* weights, const float* gradient, float* exp_avg,
               float* exp_avg_sq, uint16_t* narrow) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto w =
        update(c, hn::LoadU(d, weights + i), hn::LoadU(d, gradient + i), exp_avg + i, exp_avg_sq + i);
    hn::StoreU(w, d, weights + i);
    if (narrow != nullptr) store_bf16(w, narrow + i);
  }
  if (i == n) return;
  float w[HWY_MAX_BYTES / 4] = {}, g[HWY_MAX_BYTES / 4] = {}, m[HWY_MAX_BYTES / 4] = {},
                          v[HWY_MAX_BYTES / 4] = {};
  uint16_t b[HWY_MAX_BYTES / 4] = {};
  for (int64_t k = i; k < n; ++k) {
    w[k - i] = weights[k], g[k - i] = gradient[k], m[k - i] = exp_avg[k], v[k - i] = exp_avg_sq[k];
  }
  const auto result = update(c, hn::LoadU(d, w), hn::LoadU(d, g), m, v);
  hn::StoreU(result, d, w);
  store_bf16(result, b);
  for (int64_t k = i; k < n; ++k) {
    weights[k] = w[k - i], exp_avg[k] = m[k - i], exp_avg_sq[k] = v[k - i];
    if (narrow != nullptr) narrow[k] = b[k - i];
  }
}

double squares_all(const float* values, int64_t n) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int64_t kBlock = 4096;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    auto sum = hn::Zero(d);
    int64_t i = begin;
    for (; i + lanes <= end; i += lanes) {
      const auto x = hn::LoadU(d, values + i);
      sum = hn::MulAdd(x, x, sum);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
    for (; i < end; ++i) total += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  }
  return total;
}

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

HWY_EXPORT(adamw_all);
HWY_EXPORT(squares_all);

void adamw(const AdamWStep& step, int64_t n, float* weights, const float* gradient, float* exp_avg,
           float* exp_avg_sq, uint16_t* weights_bf16) {
  const double beta1 = step.beta1, beta2 = step.beta2, steps = static_cast<double>(step.step);
  const AdamWConstants constants = {
      .decay = static_cast<float>(1 - step.lr * step.weight_decay),
      .take1 = static_cast<float>(1 - beta1),
      .keep2 = static_cast<float>(beta2),
      .take2 = static_cast<float>(1 - beta2),
      .correction = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, steps))),
      .step_size = static_cast<float>(step.lr / (1 - std::pow(beta1, steps))),
      .epsilon = static_cast<float>(step.epsilon),
      .scale = static_cast<float>(step.gradient_scale),
  };
  HWY_DYNAMIC_DISPATCH(adamw_all)(constants, n, weights, gradient, exp_avg, exp_avg_sq, weights_bf16);
}

double sum_of_squares(const float* values, int64_t n) { return HWY_DYNAMIC_DISPATCH(squares_all)(values, n); }

}  // namespace vl3::ops
#endif
