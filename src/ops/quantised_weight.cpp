#include "ops/quantised_weight.h"

#include <ATen/ops/empty.h>

#include "core/check.h"
#include "ops/huge_memory.h"
#include "ops/parallel.h"

namespace vl3::ops {
namespace {

constexpr int64_t kLargestGroup = 1024;   // of 4-bit numbers: what kernels expand at once
constexpr int64_t kMostInputs = 1 << 17;  // whose products of 127 * 127 fit a sum of 32 bits

}  // namespace

QuantisedWeight::QuantisedWeight(const at::Tensor& values, const at::Tensor& scale, int bits) {
  VL3_CHECK(values.dim() == 2 && values.scalar_type() == at::kChar && scale.scalar_type() == at::kFloat,
            kInvalidArgument, "a quantised weight of {} axes: expected int8 [O, I] and float32 scales",
            values.dim());
  panels_ = {.O = values.size(0), .I = values.size(1), .bits = bits};
  const int64_t groups = bits == 8 ? 1 : scale.size(-1);
  VL3_CHECK(panels_.O > 0 && panels_.I > 0 && panels_.I < kMostInputs &&
                scale.numel() == panels_.O * groups && groups > 0 && panels_.I % groups == 0,
            kInvalidArgument,
            "a quantised weight of {} x {} with {} scales: expected a scale for each output and group",
            panels_.O, panels_.I, scale.numel());
  panels_.group = panels_.I / groups;
  VL3_CHECK(bits == 8 || (panels_.group % 32 == 0 && panels_.group <= kLargestGroup), kInvalidArgument,
            "4-bit weights in groups of {}: expected a multiple of 32 up to {}", panels_.group,
            kLargestGroup);
  const std::shared_ptr<std::byte> memory = huge_memory(bytes());
  const at::Tensor v = values.contiguous(), s = scale.contiguous();
  const int8_t* vp = v.const_data_ptr<int8_t>();
  const float* sp = s.const_data_ptr<float>();
  parallel_for(0, panels_.panels(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) pack_panel(panels_, vp, sp, p, memory.get());
  });
  panels_.data = memory.get();
  memory_ = memory;
}

QuantisedWeight QuantisedWeight::int8(const at::Tensor& values, const at::Tensor& scale) {
  return {values, scale, 8};
}

QuantisedWeight QuantisedWeight::int4(const at::Tensor& values, const at::Tensor& scale) {
  VL3_CHECK(scale.dim() == 2, kInvalidArgument, "4-bit scales of {} axes: expected [O, I / group]",
            scale.dim());
  return {values, scale, 4};
}

at::Tensor QuantisedWeight::dequantised() const {
  at::Tensor y = at::empty({panels_.O, panels_.I}, at::kFloat);
  float* to = y.data_ptr<float>();
  parallel_for(0, panels_.O, 16, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) unpack_row(panels_, o, to + o * panels_.I);
  });
  return y;
}

at::Tensor QuantisedWeight::rows(const at::Tensor& ids) const {
  const at::Tensor wanted = ids.to(at::kLong).contiguous();
  const int64_t* id = wanted.const_data_ptr<int64_t>();
  const int64_t n = wanted.numel();
  for (int64_t i = 0; i < n; ++i) {
    VL3_CHECK(id[i] >= 0 && id[i] < panels_.O, kInvalidArgument, "row {} of a weight with {} rows", id[i],
              panels_.O);
  }
  at::Tensor y = at::empty({n, panels_.I}, at::kFloat);
  float* to = y.data_ptr<float>();
  parallel_for(0, n, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) unpack_row(panels_, id[i], to + i * panels_.I);
  });
  return y;
}

}  // namespace vl3::ops
