#include "ops/dot_bf16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/dot_bf16.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vl3::ops {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Bits = hn::Rebind<uint16_t, Floats>;

HWY_INLINE hn::Vec<Floats> load_wide(const uint16_t* from) {
  const hn::RebindToUnsigned<Floats> bits32;
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(bits32, hn::LoadU(Bits(), from))));
}

HWY_INLINE float widen_one(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float wide;
  __builtin_memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

// One weight row after the other, so that each thread reads one forward stream, which the processor foresees:
// prefetches by hand made decoding 12 % slower.
template <int R>
HWY_INLINE void dot_rows(const float* x, const uint16_t* w, float* y, int64_t I, int64_t O, int64_t o_begin,
                         int64_t o_end) {
  const Floats d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t o = o_begin; o < o_end; ++o) {
    const uint16_t* row = w + o * I;
    hn::Vec<Floats> even[R], odd[R];
    for (int r = 0; r < R; ++r) even[r] = odd[r] = hn::Zero(d);
    int64_t i = 0;
    const auto two_vectors = [&](int64_t at) HWY_ATTR {
      const auto w0 = load_wide(row + at), w1 = load_wide(row + at + lanes);
      for (int r = 0; r < R; ++r) {
        even[r] = hn::MulAdd(w0, hn::LoadU(d, x + r * I + at), even[r]);
        odd[r] = hn::MulAdd(w1, hn::LoadU(d, x + r * I + at + lanes), odd[r]);
      }
    };
    for (; i + 2 * lanes <= I; i += 2 * lanes) two_vectors(i);
    for (int r = 0; r < R; ++r) {
      float total = hn::GetLane(hn::SumOfLanes(d, hn::Add(even[r], odd[r])));
      for (int64_t k = i; k < I; ++k) total += x[r * I + k] * widen_one(row[k]);
      y[r * O + o] = total;
    }
  }
}

void dot_all(const float* x, const uint16_t* w, float* y, int64_t rows, int64_t I, int64_t O, int64_t o_begin,
             int64_t o_end) {
  // Four rows at most share one pass: more accumulators would not fit sixteen registers.
  for (; rows >= 4; rows -= 4, x += 4 * I, y += 4 * O) dot_rows<4>(x, w, y, I, O, o_begin, o_end);
  if (rows == 3) dot_rows<3>(x, w, y, I, O, o_begin, o_end);
  if (rows == 2) dot_rows<2>(x, w, y, I, O, o_begin, o_end);
  if (rows == 1) dot_rows<1>(x, w, y, I, O, o_begin, o_end);
}

void widen_all(const uint16_t* from, float* to, int64_t n) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(load_wide(from + i), Floats(), to + i);
  for (; i < n; ++i) to[i] = widen_one(from[i]);
}

}  // namespace HWY_NAMESPACE
}  // namespace vl3::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vl3::ops {

HWY_EXPORT(dot_all);
HWY_EXPORT(widen_all);

void dot_bf16_rows(const float* x, const uint16_t* w, float* y, int64_t rows, int64_t I, int64_t O,
                   int64_t o_begin, int64_t o_end) {
  HWY_DYNAMIC_DISPATCH(dot_all)(x, w, y, rows, I, O, o_begin, o_end);
}

void widen_bf16(const uint16_t* from, float* to, int64_t n) { HWY_DYNAMIC_DISPATCH(widen_all)(from, to, n); }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets())
    names.emplace_back(hwy::TargetName(target));
  return names;
}

void force_instruction_set(const std::string& name) {
  int64_t chosen = 0;
  hwy::SetSupportedTargetsForTest(0);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (name == hwy::TargetName(target)) chosen = target;
  }
  hwy::SetSupportedTargetsForTest(chosen);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace vl3::ops
#endif
