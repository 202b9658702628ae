#include "ops/bf16_product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "core/check.h"
#include "ops/parallel.h"
#include "ops/thread_scratch.h"

namespace vl3::ops {
namespace {

constexpr int64_t kFewestRows = 128;  // of a piece: packing a tile of the weight must pay

// Tiles are cut by rows, too, where there are too few of them to occupy every thread evenly.
int64_t row_cuts(int64_t tiles, int64_t rows) {
  const int64_t threads = at::get_num_threads();
  if (tiles % threads == 0 || tiles >= 8 * threads) return 1;
  return std::clamp<int64_t>((8 * threads + tiles - 1) / tiles, 1, std::max<int64_t>(1, rows / kFewestRows));
}

void run(GemmBf16 gemm, const NarrowRows& x, const at::Tensor& weight, const at::Tensor& bias) {
  VL3_DCHECK(weight.is_contiguous() && weight.size(1) == x.I);
  gemm.M = x.bits.size(0);
  gemm.I = x.I;
  gemm.O = weight.size(0);
  gemm.x = bf16_bits(x.bits);
  gemm.x_stride = x.bits.size(1);
  gemm.w = bf16_bits(weight);
  const at::Tensor wide_bias = bias.defined() ? bias.to(at::kFloat).contiguous() : at::Tensor();
  if (bias.defined()) gemm.bias = wide_bias.const_data_ptr<float>();
  const int64_t tiles = gemm_tiles(gemm), cuts = row_cuts(tiles, gemm.M), rows = (gemm.M + cuts - 1) / cuts;
  parallel_items(tiles * cuts, [&](int64_t i) {
    const int64_t first = i % cuts * rows;
    gemm_bf16_tile(gemm, i / cuts, first, std::min(gemm.M, first + rows), thread_scratch(gemm_scratch(gemm)));
  });
}

NarrowRows empty_rows(int64_t M, int64_t O, const at::TensorOptions& options) {
  VL3_DCHECK(O % 2 == 0);
  return {at::empty({M, O}, options), O};
}

}  // namespace

const uint16_t* bf16_bits(const at::Tensor& tensor) {
  return static_cast<const uint16_t*>(static_cast<const void*>(tensor.const_data_ptr<at::BFloat16>()));
}

uint16_t* mutable_bf16_bits(const at::Tensor& tensor) {
  return static_cast<uint16_t*>(static_cast<void*>(tensor.data_ptr<at::BFloat16>()));
}

NarrowRows narrow(const at::Tensor& x) {
  const int64_t I = x.size(-1), stride = I + I % 2;
  const at::Tensor rows = x.reshape({-1, I}).contiguous();
  NarrowRows result{at::empty({rows.size(0), stride}, x.options().dtype(at::kBFloat16)), I};
  const float* from = rows.const_data_ptr<float>();
  uint16_t* to = mutable_bf16_bits(result.bits);
  parallel_for(0, rows.size(0), std::max<int64_t>(1, 32768 / I), [&](int64_t begin, int64_t end) {
    narrow_rows(from + begin * I, end - begin, I, to + begin * stride, stride);
  });
  return result;
}

at::Tensor product(const NarrowRows& x, const at::Tensor& weight, const at::Tensor& bias) {
  at::Tensor y = at::empty({x.bits.size(0), weight.size(0)}, x.bits.options().dtype(at::kFloat));
  run({.epilogue = GemmEpilogue::kStore, .y = y.data_ptr<float>()}, x, weight, bias);
  return y;
}

NarrowRows product_gelu(const NarrowRows& x, const at::Tensor& weight, const at::Tensor& bias) {
  NarrowRows y = empty_rows(x.bits.size(0), weight.size(0), x.bits.options());
  run({.epilogue = GemmEpilogue::kGeluTanh, .y = mutable_bf16_bits(y.bits)}, x, weight, bias);
  return y;
}

NarrowRows product_swiglu(const NarrowRows& x, const at::Tensor& gate, const at::Tensor& up) {
  VL3_DCHECK(up.is_contiguous() && up.sizes() == gate.sizes());
  NarrowRows y = empty_rows(x.bits.size(0), gate.size(0), x.bits.options());
  run({.w2 = bf16_bits(up), .epilogue = GemmEpilogue::kSwiglu, .y = mutable_bf16_bits(y.bits)}, x, gate, {});
  return y;
}

}  // namespace vl3::ops
