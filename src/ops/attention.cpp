#include "ops/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sigmoid.h>
#include <c10/core/GradMode.h>

#include <vector>

#include "core/check.h"
#include "ops/decode_attention.h"
#include "ops/flash_attention.h"
#include "ops/parallel.h"

// Letters: H query heads, KV key/value heads, G = H / KV, S queries, L keys, d head dim.

namespace vl3::ops {
namespace {

constexpr int64_t kKeysAPart = 512;  // keys one work item of the streaming kernel reads

// attend(head, queries, first key, one behind the last key, last keys seen, partial, values) for every part
// of every KV head.
template <typename Attend>
void stream_cache(const at::Tensor& q, int64_t KV, int64_t L, const Attend& attend, at::Tensor& out) {
  const int64_t S = q.size(1), d = q.size(2), G = q.size(0) / KV, rows = G * S;
  const int64_t parts = (L + kKeysAPart - 1) / kKeysAPart;
  std::vector<int64_t> last(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) last[r] = L - S + r % S + 1;
  std::vector<AttentionPartial> partial(static_cast<size_t>(KV * parts * rows));
  std::vector<float> values(static_cast<size_t>(KV * parts * rows * d));
  const float* qp = q.const_data_ptr<float>();
  parallel_for(0, KV * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t head = item / parts, part = item % parts;
      attend(head, qp + head * rows * d, part * kKeysAPart, std::min(L, (part + 1) * kKeysAPart), last.data(),
             partial.data() + item * rows, values.data() + item * rows * d);
    }
  });
  float* op = out.data_ptr<float>();
  for (int64_t head = 0; head < KV; ++head) {
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t first = head * parts * rows + r;
      merge_partials(partial.data() + first, values.data() + first * d, parts, rows, rows * d, d,
                     op + (head * rows + r) * d);
    }
  }
}

at::Tensor streamed(const at::Tensor& q_HSd, const CachedRows& cached, double scale) {
  const at::Tensor q = (q_HSd * scale).contiguous();
  const at::Tensor &k = cached.k, &v = cached.v;
  const int64_t KV = k.size(0), L = k.size(1), d = k.size(2), rows = q.size(0) / KV * q.size(1);
  at::Tensor out = at::empty_like(q);
  VL3_DCHECK(k.stride(0) == v.stride(0) && k.stride(1) == d && k.stride(2) == 1);
  const int64_t stride = k.stride(0);
  const auto plain = [&](const auto* keys, const auto* values) {
    stream_cache(
        q, KV, L,
        [&](int64_t head, const float* query, int64_t begin, int64_t end, const int64_t* last,
            AttentionPartial* partial, float* weighted) {
          attend_range(query, keys + head * stride, values + head * stride, d, rows, begin, end, last,
                       partial, weighted);
        },
        out);
  };
  if (cached.k_scale.defined()) {
    const int8_t *keys = k.const_data_ptr<int8_t>(), *values = v.const_data_ptr<int8_t>();
    const float *k_scale = cached.k_scale.const_data_ptr<float>(),
                *v_scale = cached.v_scale.const_data_ptr<float>();
    const int64_t scales = cached.k_scale.stride(0);
    stream_cache(
        q, KV, L,
        [&](int64_t head, const float* query, int64_t begin, int64_t end, const int64_t* last,
            AttentionPartial* partial, float* weighted) {
          attend_range(query, keys + head * stride, values + head * stride, k_scale + head * scales,
                       v_scale + head * scales, d, rows, begin, end, last, partial, weighted);
        },
        out);
  } else if (k.scalar_type() == at::kFloat) {
    plain(k.const_data_ptr<float>(), v.const_data_ptr<float>());
  } else {
    const auto bits = [](const at::Tensor& t) {
      return static_cast<const uint16_t*>(static_cast<const void*>(t.const_data_ptr<at::BFloat16>()));
    };
    plain(bits(k), bits(v));
  }
  return out;
}

at::Tensor repeat_heads(const at::Tensor& x, int64_t G) {  // [KV, L, d] -> [1, KV*G, L, d]
  return x.unsqueeze(1)
      .expand({x.size(0), G, x.size(1), x.size(2)})
      .reshape({1, x.size(0) * G, x.size(1), x.size(2)});
}

// A chunk after earlier ones: the past needs no mask and the chunk itself is plainly causal, so both run
// through the unmasked or causal flash kernel and are joined by their log-sum-exp. An explicit mask was
// several times slower.
at::Tensor chunk_after_past(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const int64_t H = q.size(0), S = q.size(1), d = q.size(2), KV = k.size(0), past = k.size(1) - S, G = H / KV;
  const auto recent = [&](const at::Tensor& x) {
    return repeat_heads(x.narrow(1, past, S).to(at::kFloat), G);
  };
  auto [own, own_lse] =
      at::_scaled_dot_product_flash_attention_for_cpu(q.unsqueeze(0), recent(k), recent(v), 0.0,
                                                      /*is_causal=*/true, {}, scale);
  const at::Tensor grouped = q.reshape({1, KV, G * S, d});
  auto [old, old_lse] = at::_scaled_dot_product_flash_attention_for_cpu(
      grouped, k.narrow(1, 0, past).to(at::kFloat).unsqueeze(0),
      v.narrow(1, 0, past).to(at::kFloat).unsqueeze(0), 0.0,
      /*is_causal=*/false, {}, scale);
  const at::Tensor weight = at::sigmoid(old_lse.reshape({H, S}) - own_lse.reshape({H, S})).unsqueeze(-1);
  return at::lerp(own.reshape({H, S, d}), old.reshape({H, S, d}), weight);
}

}  // namespace

at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                          at::ScalarType products) {
  if (products == at::kBFloat16 && takes_flash(q)) return flash_attention(q, k, v, scale, /*causal=*/false);
  return at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/false, scale);
}

at::Tensor full_attention_over_q(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                                 at::ScalarType products) {
  if (products != at::kBFloat16 || !takes_flash(q)) return full_attention(q, k, v, scale, products);
  return flash_attention(q, k, v, scale, /*causal=*/false, /*over_q=*/true);
}

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const int64_t H = q.size(0), S = q.size(1), KV = k.size(0), L = k.size(1);
  VL3_DCHECK(H % KV == 0 && L >= S && v.size(1) == L);
  const bool plain = !c10::GradMode::is_enabled() && q.is_cpu() && q.scalar_type() == at::kFloat;
  if (plain && S <= kStreamedQueries) return streamed(q, {k, v, {}, {}}, scale);
  if (plain && k.scalar_type() == at::kBFloat16 && takes_flash(q)) {
    const auto one = [](const at::Tensor& x) { return x.unsqueeze(0); };
    return flash_attention(one(q), one(k), one(v), scale, /*causal=*/true).squeeze(0);
  }
  if (plain && L > S) return chunk_after_past(q, k, v, scale);
  const auto all = [&](const at::Tensor& x) { return repeat_heads(x.to(q.scalar_type()), H / KV); };
  if (L == S) {
    return at::scaled_dot_product_attention(q.unsqueeze(0), all(k), all(v), {}, 0.0, /*is_causal=*/true,
                                            scale)
        .squeeze(0);
  }
  const auto options = at::TensorOptions(at::kLong).device(q.device());
  const at::Tensor visible =
      at::arange(L, options).unsqueeze(0) <= at::arange(L - S, L, options).unsqueeze(1);
  return at::scaled_dot_product_attention(q.unsqueeze(0), all(k), all(v), visible, 0.0, /*is_causal=*/false,
                                          scale)
      .squeeze(0);
}

at::Tensor causal_attention(const at::Tensor& q, const CachedRows& cached, double scale) {
  if (!cached.k_scale.defined()) return causal_attention(q, cached.k, cached.v, scale);
  if (q.size(1) <= kStreamedQueries) return streamed(q, cached, scale);
  const auto widened = [&](const at::Tensor& x, const at::Tensor& scales) {
    const at::Tensor wide = x.to(at::kFloat).mul_(scales.unsqueeze(-1));
    return takes_flash(q) ? wide.to(at::kBFloat16) : wide;
  };
  return causal_attention(q, widened(cached.k, cached.k_scale), widened(cached.v, cached.v_scale), scale);
}

}  // namespace vl3::ops
