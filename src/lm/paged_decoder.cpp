#include "lm/paged_decoder.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/check.h"
#include "ops/linear.h"
#include "ops/paged_attention.h"
#include "ops/parallel.h"
#include "ops/rope.h"
#include "ops/rounded_heads.h"
#include "ops/rows_linear.h"
#include "ops/train_kernels.h"

// Letters: S rows of a step, D hidden size, H query heads, KV key/value heads, d head dim.

namespace vl3::lm {
namespace {

constexpr int64_t kQueriesATile = 32;

at::Tensor product(const at::Tensor& x, const nn::Matrix& matrix, const at::Tensor& bias = {}) {
  if (matrix.packed || matrix.plain.scalar_type() != at::kFloat) return matrix.product(x, bias);
  const at::Tensor& weight = matrix.plain;
  const int64_t rows = x.size(0), I = weight.size(1), O = weight.size(0);
  at::Tensor y = at::empty({rows, O}, x.options());
  const float* xp = x.const_data_ptr<float>();
  const float* wp = weight.const_data_ptr<float>();
  float* yp = y.data_ptr<float>();
  const int64_t grain = std::max<int64_t>(4, (1 << 16) / (I * rows) / 4 * 4);
  // In steps of four outputs, so that the pieces of threads end between the kernel's tiles.
  ops::parallel_for(0, (O + 3) / 4, grain / 4, [&](int64_t begin, int64_t end) {
    ops::rows_linear(xp, wp, yp, rows, I, O, begin * 4, std::min(O, end * 4));
  });
  if (bias.defined()) y.add_(bias);
  return y;
}

at::Tensor product(const at::Tensor& x, const nn::LinearImpl& linear) {
  return product(x, linear.matrix(), linear.bias);
}

// Norm weights are a few numbers; in float32 whatever the checkpoint's dtype.
at::Tensor wide(const at::Tensor& weight) { return weight.to(at::kFloat).contiguous(); }

at::Tensor normed(const at::Tensor& x, const at::Tensor& weight, double eps) {
  at::Tensor y = at::empty_like(x);
  const int64_t D = x.size(1);
  const float* xp = x.const_data_ptr<float>();
  const float* wp = weight.const_data_ptr<float>();
  float* yp = y.data_ptr<float>();
  ops::parallel_for(0, x.size(0), std::max<int64_t>(1, 32768 / D), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float rstd = 0;
      ops::rms_norm_rows(xp + r * D, wp, yp + r * D, &rstd, 1, D, static_cast<float>(eps));
    }
  });
  return y;
}

at::Tensor gated(const at::Tensor& gate, const at::Tensor& up) {
  at::Tensor h = at::empty_like(gate);
  const int64_t F = gate.size(1);
  const float* gp = gate.const_data_ptr<float>();
  const float* up_p = up.const_data_ptr<float>();
  float* hp = h.data_ptr<float>();
  // Row by row: the kernel treats the last numbers of its input apart.
  ops::parallel_for(0, gate.size(0), std::max<int64_t>(1, 16384 / F), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) ops::swiglu(gp + r * F, up_p + r * F, hp + r * F, F);
  });
  return h;
}

ops::CacheType cache_type(at::ScalarType dtype) {
  if (dtype == at::kChar) return ops::CacheType::kInt8;
  return dtype == at::kBFloat16 ? ops::CacheType::kBfloat16 : ops::CacheType::kFloat32;
}

}  // namespace

PagedDecoder::PagedDecoder(const LanguageModelImpl& model, const weights::TextConfig& config, nn::Matrix head,
                           at::ScalarType cache_dtype, int32_t pages, int64_t page_rows)
    : config_(config), head_(std::move(head)), page_rows_(page_rows) {
  const auto parameters = model.named_parameters(/*recurse=*/true);
  const auto modules = model.named_modules();
  const auto get = [&](const std::string& name) {
    const at::Tensor* tensor = parameters.find(name);
    VL3_CHECK(tensor != nullptr, kInternal, "the language model has no parameter {}", name);
    return *tensor;
  };
  const auto linear = [&](const std::string& name) {
    const auto* module = modules.find(name);
    auto found = module ? std::dynamic_pointer_cast<const nn::LinearImpl>(*module) : nullptr;
    VL3_CHECK(found != nullptr, kInternal, "the language model has no linear {}", name);
    return found;
  };
  norm_ = wide(get("norm.weight"));
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string at = "layers." + std::to_string(i) + ".";
    Layer layer;
    layer.input_norm = wide(get(at + "input_layernorm.weight"));
    layer.post_norm = wide(get(at + "post_attention_layernorm.weight"));
    layer.q = linear(at + "self_attn.q_proj");
    layer.k = linear(at + "self_attn.k_proj");
    layer.v = linear(at + "self_attn.v_proj");
    layer.o = linear(at + "self_attn.o_proj");
    layer.gate = linear(at + "mlp.gate_proj");
    layer.up = linear(at + "mlp.up_proj");
    layer.down = linear(at + "mlp.down_proj");
    const auto shape = {static_cast<int64_t>(pages), config.num_key_value_heads, page_rows, config.head_dim};
    layer.k_pages = at::zeros(shape, cache_dtype);
    layer.v_pages = at::zeros(shape, cache_dtype);
    if (cache_dtype == at::kChar) {
      const auto rows = {static_cast<int64_t>(pages), config.num_key_value_heads, page_rows};
      layer.k_scales = at::zeros(rows, at::kFloat);
      layer.v_scales = at::zeros(rows, at::kFloat);
    }
    layers_.push_back(std::move(layer));
  }
  // Once for all positions: libtorch's cosine of a number depends on where in a tensor it stands.
  const ops::RopeTable table =
      ops::rope_1d(at::arange(config.max_position_embeddings, at::kLong), config.head_dim, config.rope_theta);
  cos_ = table.cos.contiguous();
  sin_ = table.sin.contiguous();
}

int64_t PagedDecoder::page_bytes(const weights::TextConfig& config, at::ScalarType cache_dtype,
                                 int64_t page_rows) {
  return KvCache::bytes(config, page_rows, cache_dtype);
}

void PagedDecoder::turn(at::Tensor& x, int64_t heads) const {
  const int64_t half = config_.head_dim / 2, width = heads * config_.head_dim;
  at::Tensor y = at::empty_like(x);
  const float* xp = x.const_data_ptr<float>();
  const float* cos = cos_.const_data_ptr<float>();
  const float* sin = sin_.const_data_ptr<float>();
  float* yp = y.data_ptr<float>();
  ops::parallel_for(0, x.size(0), std::max<int64_t>(1, 32768 / width), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = positions_[static_cast<size_t>(r)] * half;
      ops::rope_heads(xp + r * width, cos + at, sin + at, yp + r * width, heads, half, 1.0F);
    }
  });
  x = y;
}

void PagedDecoder::store(const Layer& layer, const at::Tensor& k, const at::Tensor& v,
                         std::span<const PagedSegment> segments) const {
  const int64_t KV = config_.num_key_value_heads, d = config_.head_dim;
  const auto copy = [&](const at::Tensor& from, const at::Tensor& pages, const at::Tensor& scales) {
    const float* rows = from.const_data_ptr<float>();
    const bool narrow = pages.scalar_type() == at::kBFloat16;
    for (const PagedSegment& segment : segments) {
      for (int64_t r = segment.begin; r < segment.end; ++r) {
        const int64_t position = segment.position + r - segment.begin;
        const int64_t page = segment.pages[static_cast<size_t>(position / page_rows_)];
        for (int64_t head = 0; head < KV; ++head) {
          const float* source = rows + (r * KV + head) * d;
          const int64_t row = (page * KV + head) * page_rows_ + position % page_rows_, to = row * d;
          if (scales.defined()) {
            scales.data_ptr<float>()[row] = ops::round_head(source, d, pages.data_ptr<int8_t>() + to);
          } else if (narrow) {
            std::copy(source, source + d, pages.data_ptr<at::BFloat16>() + to);
          } else {
            std::copy(source, source + d, pages.data_ptr<float>() + to);
          }
        }
      }
    }
  };
  copy(k, layer.k_pages, layer.k_scales);
  copy(v, layer.v_pages, layer.v_scales);
}

at::Tensor PagedDecoder::attention(const Layer& layer, const at::Tensor& x,
                                   std::span<const PagedSegment> segments) {
  const int64_t H = config_.num_attention_heads, KV = config_.num_key_value_heads, d = config_.head_dim;
  at::Tensor q = product(x, *layer.q), k = product(x, *layer.k);
  const at::Tensor v = product(x, *layer.v);
  turn(q, H);
  turn(k, KV);
  store(layer, k, v, segments);
  at::Tensor out = at::empty_like(q);
  const auto scales_of = [](const at::Tensor& scales) {
    return scales.defined() ? scales.const_data_ptr<float>() : nullptr;
  };
  const ops::PagedKeys keys{cache_type(layer.k_pages.scalar_type()),
                            layer.k_pages.const_data_ptr(),
                            layer.v_pages.const_data_ptr(),
                            scales_of(layer.k_scales),
                            scales_of(layer.v_scales),
                            KV,
                            page_rows_,
                            d};
  struct Item {
    const PagedSegment* segment;
    int64_t head, begin, end;
  };
  std::vector<Item> items;
  const int64_t tile = std::max<int64_t>(1, kQueriesATile / (H / KV));
  for (const PagedSegment& segment : segments) {
    for (int64_t begin = 0; begin < segment.end - segment.begin; begin += tile) {
      const int64_t end = std::min(begin + tile, segment.end - segment.begin);
      for (int64_t head = 0; head < KV; ++head) items.push_back({&segment, head, begin, end});
    }
  }
  const float* qp = q.const_data_ptr<float>();
  float* op = out.data_ptr<float>();
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(d)));
  ops::parallel_for(0, static_cast<int64_t>(items.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Item& item = items[static_cast<size_t>(i)];
      const int64_t offset = item.segment->begin * H * d;
      ops::paged_attention(keys, item.segment->pages.data(), item.segment->position, qp + offset, H,
                           item.head, item.begin, item.end, scale, op + offset);
    }
  });
  return product(out, *layer.o);
}

at::Tensor PagedDecoder::forward(at::Tensor x, std::span<const PagedSegment> segments) {
  positions_.clear();
  for (const PagedSegment& segment : segments) {
    for (int64_t r = 0; r < segment.end - segment.begin; ++r) positions_.push_back(segment.position + r);
  }
  VL3_DCHECK(x.scalar_type() == at::kFloat && x.size(0) == static_cast<int64_t>(positions_.size()));
  for (const Layer& layer : layers_) {
    x.add_(attention(layer, normed(x, layer.input_norm, config_.rms_norm_eps), segments));
    const at::Tensor y = normed(x, layer.post_norm, config_.rms_norm_eps);
    x.add_(layer.gate->packed ? nn::swiglu_mlp(y, *layer.gate, *layer.up, *layer.down)
                              : product(gated(product(y, *layer.gate), product(y, *layer.up)), *layer.down));
  }
  return normed(x, norm_, config_.rms_norm_eps);
}

at::Tensor PagedDecoder::logits(const at::Tensor& hidden) const { return product(hidden, head_); }

}  // namespace vl3::lm
