#include "ops/product_wide.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/product_wide.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef VL3_PRODUCT_WIDE_BLOCKS
#define VL3_PRODUCT_WIDE_BLOCKS
namespace vl3::ops {

// Inputs of a panel that meet all rows before the next ones: 16 KiB of bytes.
constexpr int64_t kWideBlock = 256;
constexpr int64_t kWideExpanded = kWideBlock / 4 * kStepBytes;

}  // namespace vl3::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace vl3::ops {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

// Plain loops, for CPUs without vectors that Highway knows.
HWY_INLINE void multiply_rows(const int16_t* x, int64_t stride, int64_t rows, const uint8_t* w, int64_t steps,
                              int64_t width, int32_t* kept) {
  for (int64_t m = 0; m < rows; ++m, x += stride, kept += 2 * kPanelOutputs) {
    for (int64_t s = 0; s < steps; ++s) {
      const int32_t x0 = x[4 * s], x1 = x[4 * s + 1], x2 = x[4 * s + 2], x3 = x[4 * s + 3];
      const uint8_t* four = w + s * kStepBytes;
      for (int64_t o = 0; o < width; ++o, four += 4) {
        kept[2 * o] += x0 * four[0] + x1 * four[1];
        kept[2 * o + 1] += x2 * four[2] + x3 * four[3];
      }
    }
  }
}

HWY_INLINE void scale_sums(const int32_t* sums, int32_t correction, const float* scale, bool adds,
                           float* values) {
  for (int64_t o = 0; o < kPanelOutputs; ++o) {
    const auto sum = static_cast<float>(sums[2 * o] + sums[2 * o + 1] + correction);
    values[o] = sum * scale[o] + (adds ? values[o] : 0.0f);
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;
using Shorts = hn::ScalableTag<int16_t>;
using Ints = hn::RepartitionToWide<Shorts>;
using Floats = hn::RebindToFloat<Ints>;
using Bytes = hn::Rebind<uint8_t, Shorts>;
using Vector = hn::Vec<Ints>;

// sum + a0 b0 + a1 b1 for the two 16-bit numbers of every 32-bit lane.
HWY_INLINE Vector add_pairs(hn::Vec<Shorts> a, hn::Vec<Shorts> b, Vector sum) {
  const Ints d;
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128
  Vector unused = hn::Zero(d);  // on x86 the pairs stay in their lane
  return hn::ReorderWidenMulAccumulate(d, a, b, sum, unused);
#else
  const auto low = [](Vector v) HWY_ATTR { return hn::ShiftRight<16>(hn::ShiftLeft<16>(v)); };
  const Vector a2 = hn::BitCast(d, a), b2 = hn::BitCast(d, b);
  const Vector odd = hn::Mul(hn::ShiftRight<16>(a2), hn::ShiftRight<16>(b2));
  return hn::Add(sum, hn::Add(odd, hn::Mul(low(a2), low(b2))));
#endif
}

// The sums of rows [m, m + R) with V vectors of outputs over `steps` steps of four inputs, added to `sums`,
// which holds two halves of a sum for each output.
template <int R, int V>
HWY_INLINE void multiply(const int16_t* x, int64_t stride, const uint8_t* w, int64_t steps, int32_t* sums) {
  const Ints d;
  const Shorts shorts;
  const auto lanes = static_cast<int64_t>(hn::Lanes(shorts)), pairs = lanes / 2;
  const hn::Repartition<int64_t, Shorts> fours;
  Vector sum[R][V];
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v) sum[r][v] = hn::LoadU(d, sums + r * 2 * kPanelOutputs + v * pairs);
  }
  for (int64_t s = 0; s < steps; ++s, w += kStepBytes) {
    hn::Vec<Shorts> columns[V];
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v) columns[v] = hn::PromoteTo(shorts, hn::LoadU(Bytes(), w + v * lanes));
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      int64_t bits;
      std::memcpy(&bits, x + r * stride + 4 * s, sizeof(bits));
      const auto inputs = hn::BitCast(shorts, hn::Set(fours, bits));
      HWY_UNROLL(8)
      for (int v = 0; v < V; ++v) sum[r][v] = add_pairs(columns[v], inputs, sum[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v) hn::StoreU(sum[r][v], d, sums + r * 2 * kPanelOutputs + v * pairs);
  }
}

template <int R, int V>
HWY_INLINE void all_outputs(const int16_t* x, int64_t stride, const uint8_t* w, int64_t steps, int64_t width,
                            int32_t* sums) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Shorts()));
  for (int64_t byte = 0; byte < 4 * width; byte += V * lanes)
    multiply<R, V>(x, stride, w + byte, steps, sums + byte / 2);
}

// Larger tiles were slower on a Zen 5: g++ 12 moves their accumulators through memory.
constexpr int kManyRows = 4;
constexpr int kManyVectors = HWY_TARGET == HWY_AVX3 ? 4 : 2;

// kept[m] += x[m] . w for every row, over the `steps` steps at w.
HWY_INLINE void multiply_rows(const int16_t* x, int64_t stride, int64_t rows, const uint8_t* w, int64_t steps,
                              int64_t width, int32_t* kept) {
  int64_t m = 0;
  const auto each = [&](auto R, auto V) HWY_ATTR {
    all_outputs<decltype(R)::value, decltype(V)::value>(x + m * stride, stride, w, steps, width,
                                                        kept + m * 2 * kPanelOutputs);
    m += decltype(R)::value;
  };
  using std::integral_constant;
  while (rows - m >= kManyRows)
    each(integral_constant<int, kManyRows>(), integral_constant<int, kManyVectors>());
  if (rows - m >= 2) each(integral_constant<int, 2>(), integral_constant<int, kManyVectors>());
  if (rows - m == 1) each(integral_constant<int, 1>(), integral_constant<int, 4>());
}

// values[o] (+)= (the two halves of a sum + correction) * scale.
HWY_INLINE void scale_sums(const int32_t* sums, int32_t correction, const float* scale, bool adds,
                           float* values) {
  const Ints d;
  const Floats floats;
  for (int64_t o = 0; o < kPanelOutputs; o += static_cast<int64_t>(hn::Lanes(d))) {
    Vector a, b;
    hn::LoadInterleaved2(d, sums + 2 * o, a, b);
    const auto sum = hn::ConvertTo(floats, hn::Add(hn::Add(a, b), hn::Set(d, correction)));
    const auto before = adds ? hn::LoadU(floats, values + o) : hn::Zero(floats);
    hn::StoreU(hn::MulAdd(sum, hn::LoadU(floats, scale + o), before), floats, values + o);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

HWY_INLINE void expand_bytes(const uint8_t* w, int64_t steps, uint8_t* to) {
  for (int64_t s = 0; s < steps; ++s, w += kStepBytes, to += 2 * kStepBytes) {
    for (int64_t i = 0; i < kStepBytes; ++i) {
      to[i] = w[i] & 15;
      to[kStepBytes + i] = static_cast<uint8_t>(w[i] >> 4);
    }
  }
}

void product(const QuantisedProduct& p, int64_t panel, int64_t m_begin, int64_t m_end, float* y,
             int64_t y_stride, std::byte* scratch) {
  const QuantisedPanels& weight = p.weight;
  const int64_t rows = m_end - m_begin, groups = weight.groups(), width = weight.width(panel);
  auto* const expanded = reinterpret_cast<uint8_t*>(scratch);
  auto* const sums = reinterpret_cast<int32_t*>(scratch + kWideExpanded);
  auto* const values = reinterpret_cast<float*>(sums + rows * 2 * kPanelOutputs);
  const std::byte* group = weight.data + panel * weight.panel_bytes();
  for (int64_t g = 0; g < groups; ++g, group += weight.group_bytes()) {
    const auto* w = reinterpret_cast<const uint8_t*>(group + kScaleBytes);
    std::fill_n(sums, rows * 2 * kPanelOutputs, 0);
    for (int64_t i = 0; i < weight.group; i += kWideBlock) {
      const int64_t n = std::min(kWideBlock, weight.group - i), steps = (n + 3) / 4;
      const uint8_t* bytes = w + i / 4 * kStepBytes;
      if (weight.bits == 4) {
        expand_bytes(w + i / 8 * kStepBytes, n / 8, expanded);
        bytes = expanded;
      }
      multiply_rows(p.x.wide + m_begin * p.x.stride + g * weight.group + i, p.x.stride, rows, bytes, steps,
                    width, sums);
    }
    float scale[kPanelOutputs];
    std::memcpy(scale, group, sizeof(scale));
    for (int64_t m = 0; m < rows; ++m) {
      scale_sums(sums + m * 2 * kPanelOutputs, p.x.correction[(m_begin + m) * groups + g], scale, g > 0,
                 values + m * kPanelOutputs);
    }
  }
  for (int64_t m = 0; m < rows; ++m) {
    const float scale = p.x.scale[m_begin + m];
    const float* bias = p.bias == nullptr ? nullptr : p.bias + panel * kPanelOutputs;
    for (int64_t o = 0; o < width; ++o)
      y[m * y_stride + o] = values[m * kPanelOutputs + o] * scale + (bias == nullptr ? 0.0f : bias[o]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

HWY_EXPORT(product);

int64_t product_wide_scratch(const QuantisedPanels&, int64_t rows) {
  return kWideExpanded + rows * kPanelOutputs * 12;
}

void product_wide(const QuantisedProduct& p, int64_t panel, int64_t m_begin, int64_t m_end, float* y,
                  int64_t y_stride, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(product)(p, panel, m_begin, m_end, y, y_stride, scratch);
}

}  // namespace vl3::ops
#endif
