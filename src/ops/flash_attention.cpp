#include "ops/flash_attention.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "core/check.h"
#include "ops/bf16_product.h"
#include "ops/flash_bf16.h"
#include "ops/linear.h"
#include "ops/parallel.h"

// Letters: B batch, H query heads, KV key/value heads, S queries, L keys, d head dim.

namespace vl3::ops {
namespace {

void pack(const at::Tensor& x_Ld, uint32_t* to, bool keys) {
  const int64_t L = x_Ld.size(0), d = x_Ld.size(1), stride = x_Ld.stride(0);
  const auto with = [&](const auto* from) {
    keys ? flash_pack_keys(from, stride, L, d, to) : flash_pack_values(from, stride, L, d, to);
  };
  if (x_Ld.scalar_type() == at::kFloat) {
    with(x_Ld.const_data_ptr<float>());
  } else {
    with(bf16_bits(x_Ld));
  }
}

}  // namespace

bool takes_flash(const at::Tensor& q) {
  return !c10::GradMode::is_enabled() && q.is_cpu() && q.scalar_type() == at::kFloat &&
         q.size(-1) <= kFlashDim && bf16_product() == Bf16Product::kOwnTiles;
}

at::Tensor flash_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                           bool causal, bool over_q) {
  const int64_t B = q.size(0), H = q.size(1), S = q.size(2), d = q.size(3), KV = k.size(1), L = k.size(2);
  VL3_DCHECK(H % KV == 0 && (!causal || L >= S) && q.stride(3) == 1 && k.stride(3) == 1 && v.stride(3) == 1);
  const int64_t keys_size = flash_keys_size(L, d), values_size = flash_values_size(L, d);
  const at::Tensor packed = at::empty({B * KV, keys_size + values_size}, q.options().dtype(at::kInt));
  auto* all = static_cast<uint32_t*>(static_cast<void*>(packed.data_ptr<int32_t>()));
  // Tensors are taken apart here: inside the loops only raw data may be used.
  std::vector<at::Tensor> heads;
  for (const at::Tensor& x : {k, v}) {
    for (int64_t i = 0; i < B * KV; ++i) heads.push_back(x.select(0, i / KV).select(0, i % KV));
  }
  parallel_items(2 * B * KV, [&](int64_t i) {
    const bool keys = i < B * KV;
    uint32_t* head = all + i % (B * KV) * (keys_size + values_size);
    pack(heads[static_cast<size_t>(i)], keys ? head : head + keys_size, keys);
  });
  // A query is read before its result is written, and by nobody else.
  at::Tensor out =
      over_q && q.transpose(1, 2).is_contiguous() ? q.transpose(1, 2) : at::empty({B, S, H, d}, q.options());
  const float* from = q.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  const int64_t pieces = (S + kFlashQueries - 1) / kFlashQueries;
  parallel_items(B * H * pieces, [&](int64_t i) {
    const int64_t b = i / pieces / H, h = i / pieces % H, first = i % pieces * kFlashQueries;
    const uint32_t* head = all + (b * KV + h / (H / KV)) * (keys_size + values_size);
    flash_bf16_queries({head, head + keys_size, L},
                       from + b * q.stride(0) + h * q.stride(1) + first * q.stride(2), q.stride(2),
                       std::min(kFlashQueries, S - first), d, static_cast<float>(scale),
                       causal ? L - S + first + 1 : L, causal, to + ((b * S + first) * H + h) * d, H * d);
  });
  return out.transpose(1, 2);
}

}  // namespace vl3::ops
