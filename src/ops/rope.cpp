#include "ops/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <vector>

#include "core/check.h"
#include "ops/fused_autograd.h"

namespace vl3::ops {
namespace {

at::Tensor inverse_frequencies(int64_t dim, double theta, at::Device device) {
  // float32 throughout, as the reference computes them.
  const at::Tensor exponent =
      at::arange(0, dim, 2, at::TensorOptions(at::kFloat).device(device)) / static_cast<double>(dim);
  return at::pow(theta, exponent).reciprocal();
}

bool takes_fused(const at::Tensor& x, const RopeTable& table) {
  return fuses(x) && table.cos.dim() == 2 && table.cos.size(0) == x.size(-3);
}

}  // namespace

RopeTable rope_1d(const at::Tensor& positions, int64_t head_dim, double theta) {
  const at::Tensor angles =
      at::outer(positions.to(at::kFloat), inverse_frequencies(head_dim, theta, positions.device()));
  return {angles.cos(), angles.sin()};
}

RopeTable rope_2d(int64_t h, int64_t w, int64_t merge, int64_t head_dim, double theta, at::Device device) {
  VL3_DCHECK(h % merge == 0 && w % merge == 0 && head_dim % 4 == 0);
  const auto options = at::TensorOptions(at::kLong).device(device);
  const auto block_order = [&](const at::Tensor& grid_hw) {
    return grid_hw.reshape({h / merge, merge, w / merge, merge}).permute({0, 2, 1, 3}).reshape({-1});
  };
  const at::Tensor rows = block_order(at::arange(h, options).unsqueeze(1).expand({h, w}));
  const at::Tensor cols = block_order(at::arange(w, options).unsqueeze(0).expand({h, w}));
  const at::Tensor inv = inverse_frequencies(head_dim / 2, theta, device);
  const at::Tensor angles =
      at::cat({at::outer(rows.to(at::kFloat), inv), at::outer(cols.to(at::kFloat), inv)}, /*dim=*/1);
  return {angles.cos(), angles.sin()};
}

at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table) {
  if (takes_fused(x, table)) return fused_rope(x, table);
  const int64_t half = x.size(-1) / 2;
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor a = wide.narrow(-1, 0, half), b = wide.narrow(-1, half, half);
  const at::Tensor cos = table.cos.unsqueeze(-2), sin = table.sin.unsqueeze(-2);
  if (c10::GradMode::is_enabled() && x.requires_grad()) {
    return at::cat({a * cos - b * sin, b * cos + a * sin}, -1).to(x.scalar_type());
  }
  at::Tensor out = at::empty_like(wide, at::MemoryFormat::Contiguous);
  at::Tensor first = out.narrow(-1, 0, half), second = out.narrow(-1, half, half);
  at::mul_out(first, a, cos).addcmul_(b, sin, -1.0);
  at::mul_out(second, b, cos).addcmul_(a, sin);
  return out.to(x.scalar_type());
}

at::Tensor apply_rope_in_place(at::Tensor x, const RopeTable& table) {
  return takes_fused(x, table) ? fused_rope_in_place(std::move(x), table) : apply_rope(x, table);
}

}  // namespace vl3::ops
