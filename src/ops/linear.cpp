#include "ops/linear.h"

#include <ATen/ops/add.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/silu.h>
#include <c10/core/GradMode.h>

#include "core/check.h"
#include "ops/bf16_product.h"
#include "ops/dot_bf16.h"
#include "ops/fused_autograd.h"
#include "ops/parallel.h"

namespace vl3::ops {
namespace {

std::optional<Bf16Product> forced_product;

// Few rows: bound by reading the weight, so every thread streams its own rows of it once.
void streamed(const at::Tensor& x, const at::Tensor& weight, at::Tensor& y) {
  const int64_t rows = x.size(0), I = weight.size(1), O = weight.size(0);
  const float* xp = x.const_data_ptr<float>();
  const uint16_t* wp = bf16_bits(weight);
  float* yp = y.data_ptr<float>();
  // A thread takes the next 32 KiB to 1 MiB as it gets free: memory serves the threads unevenly.
  const int64_t least = std::max<int64_t>(1, 16384 / I), most = std::max(least, (1 << 19) / I);
  const int64_t block = std::clamp((O + 7) / 8, least, most);
  parallel_items((O + block - 1) / block, [&](int64_t item) {
    dot_bf16_rows(xp, wp, yp, rows, I, O, item * block, std::min(O, (item + 1) * block));
  });
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
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  if (takes_own_tiles(x, weight)) return product(narrow(x), weight, bias).view(shape);
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
  return y.view(shape);
}

}  // namespace

Bf16Product bf16_product() {
  if (forced_product) return *forced_product;
  static const Bf16Product best = cpu_has_amx_bf16()      ? Bf16Product::kOneDnn
                                  : cpu_has_avx512_bf16() ? Bf16Product::kOwnTiles
                                                          : Bf16Product::kWidenedTiles;
  return best;
}

bool takes_own_tiles(const at::Tensor& x, const at::Tensor& weight) {
  return !c10::GradMode::is_enabled() && x.is_cpu() && x.scalar_type() == at::kFloat &&
         weight.scalar_type() == at::kBFloat16 && x.numel() > kStreamedRows * x.size(-1) &&
         bf16_product() == Bf16Product::kOwnTiles;
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

at::Tensor gelu_mlp(const at::Tensor& x, const at::Tensor& w1, const at::Tensor& b1, const at::Tensor& w2,
                    const at::Tensor& b2) {
  if (takes_own_tiles(x, w1) && takes_own_tiles(x, w2) && w1.size(0) % 2 == 0) {
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = w2.size(0);
    return product(product_gelu(narrow(x), w1, b1), w2, b2).view(shape);
  }
  at::Tensor hidden = ops::linear(x, w1, b1);
  return ops::linear(c10::GradMode::is_enabled() ? at::gelu(hidden, "tanh") : at::gelu_(hidden, "tanh"), w2,
                     b2);
}

at::Tensor swiglu_mlp(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& up,
                      const at::Tensor& down) {
  if (takes_own_tiles(x, gate) && takes_own_tiles(x, up) && takes_own_tiles(x, down) &&
      gate.size(0) % 2 == 0) {
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = down.size(0);
    return product(product_swiglu(narrow(x), gate, up), down, {}).view(shape);
  }
  at::Tensor hidden = ops::linear(x, gate);
  if (c10::GradMode::is_enabled()) return ops::linear(swiglu(hidden, ops::linear(x, up)), down);
  return ops::linear(at::silu_(hidden).mul_(ops::linear(x, up)), down);
}

}  // namespace vl3::ops
