#include "ops/linear.h"

#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

#include "core/check.h"
#include "ops/dot_bf16.h"
#include "ops/fused_autograd.h"
#include "ops/parallel.h"

namespace vl3::ops {
namespace {

std::optional<Bf16Product> forced_product;

const uint16_t* bf16_bits(const at::Tensor& tensor) {
  return static_cast<const uint16_t*>(static_cast<const void*>(tensor.const_data_ptr<at::BFloat16>()));
}

// Few rows: bound by reading the weight, so every thread streams its own rows of it once.
void streamed(const at::Tensor& x, const at::Tensor& weight, at::Tensor& y) {
  const int64_t rows = x.size(0), I = weight.size(1), O = weight.size(0);
  const float* xp = x.const_data_ptr<float>();
  const uint16_t* wp = bf16_bits(weight);
  float* yp = y.data_ptr<float>();
  parallel_for(0, O, std::max<int64_t>(1, 32768 / I),
               [&](int64_t begin, int64_t end) { dot_bf16_rows(xp, wp, yp, rows, I, O, begin, end); });
}

// Many rows: the weight is widened tile by tile into one scratch buffer, so that memory stays small.
void widened_tiles(const at::Tensor& x, const at::Tensor& weight, at::Tensor& y) {
  const int64_t I = weight.size(1), O = weight.size(0);
  const int64_t tile = std::min<int64_t>(O, std::max<int64_t>(64, (4 << 20) / I));
  at::Tensor scratch = at::empty({tile, I}, x.options());
  const uint16_t* wp = bf16_bits(weight);
  for (int64_t o = 0; o < O; o += tile) {
    const int64_t n = std::min(tile, O - o);
    float* sp = scratch.data_ptr<float>();
    parallel_for(0, n, 16, [&](int64_t begin, int64_t end) {
      widen_bf16(wp + (o + begin) * I, sp + begin * I, (end - begin) * I);
    });
    at::Tensor out = y.narrow(1, o, n);
    at::mm_out(out, x, scratch.narrow(0, 0, n).t());
  }
}

at::Tensor mixed_cpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor x2 = x.reshape({-1, weight.size(1)}).contiguous();
  at::Tensor y;
  if (x2.size(0) > kStreamedRows && bf16_product() == Bf16Product::kOneDnn) {
    y = at::linear(x2.to(at::kBFloat16), weight).to(at::kFloat);
  } else {
    y = at::empty({x2.size(0), weight.size(0)}, x2.options());
    if (x2.size(0) <= kStreamedRows) {
      streamed(x2, weight, y);
    } else {
      widened_tiles(x2, weight, y);
    }
  }
  if (bias.defined()) y.add_(bias);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return y.view(shape);
}

}  // namespace

Bf16Product bf16_product() {
  if (forced_product) return *forced_product;
  static const bool native = __builtin_cpu_supports("avx512bf16") != 0;
  return native ? Bf16Product::kOneDnn : Bf16Product::kWidenedTiles;
}

void force_bf16_product(std::optional<Bf16Product> product) { forced_product = product; }

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  VL3_DCHECK(x.size(-1) == weight.size(1));
  if (x.scalar_type() == weight.scalar_type()) {
    if (c10::GradMode::is_enabled() && x.is_cpu() && x.scalar_type() == at::kFloat &&
        weight.is_contiguous() && (x.requires_grad() || weight.requires_grad())) {
      return fused_linear(x, weight, bias);
    }
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  }
  const bool recording = c10::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad() ||
                                                         (bias.defined() && bias.requires_grad()));
  const bool mixed = x.scalar_type() == at::kFloat && weight.scalar_type() == at::kBFloat16 && x.is_cpu();
  if (mixed && !recording) return mixed_cpu(x, weight, bias);
  const at::Tensor y =
      at::linear(x.to(weight.scalar_type()), weight, bias.defined() ? std::optional(bias) : std::nullopt);
  return y.to(x.scalar_type());
}

}  // namespace vl3::ops
