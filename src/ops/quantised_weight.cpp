#include "ops/quantised_weight.h"

#include <ATen/ops/_int_mm.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/where.h>

#include "core/check.h"

namespace vl3::ops {

QuantisedWeight::QuantisedWeight(const at::Tensor& values, const at::Tensor& scale, int bits)
    : values_(values.contiguous().clone()), scale_(scale.contiguous().clone()), bits_(bits) {
  VL3_DCHECK(values.dim() == 2 && values.scalar_type() == at::kChar && scale.scalar_type() == at::kFloat);
  VL3_DCHECK(scale.dim() == 2 && scale.size(0) == values.size(0) && values.size(1) % scale.size(1) == 0);
}

QuantisedWeight QuantisedWeight::int8(const at::Tensor& values, const at::Tensor& scale) {
  return {values, scale.view({-1, 1}), 8};
}

QuantisedWeight QuantisedWeight::int4(const at::Tensor& values, const at::Tensor& scale) {
  return {values, scale, 4};
}

at::Tensor QuantisedWeight::dequantised() const {
  const int64_t O = out_features(), groups = scale_.size(1);
  return (values_.view({O, groups, group()}).to(at::kFloat) * scale_.unsqueeze(2)).view({O, in_features()});
}

at::Tensor QuantisedWeight::rows(const at::Tensor& ids) const {
  return QuantisedWeight(values_.index_select(0, ids), scale_.index_select(0, ids), bits_).dequantised();
}

at::Tensor linear(const at::Tensor& x, const QuantisedWeight& weight, const at::Tensor& bias) {
  VL3_DCHECK(x.scalar_type() == at::kFloat && x.size(-1) == weight.in_features());
  const int64_t O = weight.out_features(), group = weight.group();
  const at::Tensor rows = x.reshape({-1, weight.in_features()});
  const at::Tensor greatest = rows.abs().amax(1, /*keepdim=*/true);
  const at::Tensor step = greatest / 127.0;
  const at::Tensor whole =
      at::where(greatest > 0, rows / step, at::zeros_like(rows)).round().clamp(-127, 127).to(at::kChar);
  at::Tensor y = at::zeros({rows.size(0), O}, rows.options());
  for (int64_t g = 0; g < weight.scale_.size(1); ++g) {
    const at::Tensor sums = at::_int_mm(whole.narrow(1, g * group, group).contiguous(),
                                        weight.values_.narrow(1, g * group, group).t());
    y.add_(sums.to(at::kFloat) * weight.scale_.select(1, g));
  }
  y.mul_(step);
  if (bias.defined()) y.add_(bias);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = O;
  return y.view(shape);
}

at::Tensor gelu_mlp(const at::Tensor& x, const QuantisedWeight& w1, const at::Tensor& b1,
                    const QuantisedWeight& w2, const at::Tensor& b2) {
  at::Tensor hidden = linear(x, w1, b1);
  return linear(at::gelu_(hidden, "tanh"), w2, b2);
}

at::Tensor swiglu_mlp(const at::Tensor& x, const QuantisedWeight& gate, const QuantisedWeight& up,
                      const QuantisedWeight& down) {
  at::Tensor hidden = linear(x, gate);
  return linear(at::silu_(hidden).mul_(linear(x, up)), down);
}

}  // namespace vl3::ops
