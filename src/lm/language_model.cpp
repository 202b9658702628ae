#include "lm/language_model.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>

#include <cmath>

#include "core/check.h"
#include "nn/recompute.h"
#include "ops/attention.h"

namespace vl3::lm {

DecoderLayerImpl::DecoderLayerImpl(const nn::Scope& scope, const weights::TextConfig& config, int64_t index)
    : config_(config), index_(index) {
  const int64_t D = config.hidden_size, q = config.num_attention_heads * config.head_dim;
  const int64_t kv = config.num_key_value_heads * config.head_dim, F = config.intermediate_size;
  input_layernorm_ =
      register_module("input_layernorm", nn::RmsNorm(scope / "input_layernorm", D, config.rms_norm_eps));
  post_attention_layernorm_ = register_module(
      "post_attention_layernorm", nn::RmsNorm(scope / "post_attention_layernorm", D, config.rms_norm_eps));
  auto attn = register_module("self_attn", std::make_shared<torch::nn::Module>("self_attn"));
  const nn::Scope at_attn = scope / "self_attn";
  q_proj_ = attn->register_module("q_proj", nn::Linear(at_attn / "q_proj", D, q, true));
  k_proj_ = attn->register_module("k_proj", nn::Linear(at_attn / "k_proj", D, kv, true));
  v_proj_ = attn->register_module("v_proj", nn::Linear(at_attn / "v_proj", D, kv, true));
  o_proj_ = attn->register_module("o_proj", nn::Linear(at_attn / "o_proj", q, D, false));
  auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>("mlp"));
  const nn::Scope at_mlp = scope / "mlp";
  gate_proj_ = mlp->register_module("gate_proj", nn::Linear(at_mlp / "gate_proj", D, F, false));
  up_proj_ = mlp->register_module("up_proj", nn::Linear(at_mlp / "up_proj", D, F, false));
  down_proj_ = mlp->register_module("down_proj", nn::Linear(at_mlp / "down_proj", F, D, false));
}

DecoderLayerImpl::Heads DecoderLayerImpl::heads(const at::Tensor& x_SD, const ops::RopeTable& rope) const {
  const auto split = [&](const at::Tensor& y) { return y.view({x_SD.size(0), -1, config_.head_dim}); };
  return {ops::apply_rope_in_place(split(q_proj_->forward(x_SD)), rope),
          ops::apply_rope_in_place(split(k_proj_->forward(x_SD)), rope), split(v_proj_->forward(x_SD))};
}

at::Tensor DecoderLayerImpl::attention(const at::Tensor& x_SD, const ops::RopeTable& rope,
                                       std::span<const Segment> segments) const {
  const int64_t H = config_.num_attention_heads, d = config_.head_dim;
  const auto [q, k, v] = heads(x_SD, rope);
  const double scale = 1.0 / std::sqrt(static_cast<double>(d));
  std::vector<at::Tensor> outputs;
  for (const Segment& segment : segments) {
    const int64_t rows = segment.end - segment.begin;
    const auto own = [&](const at::Tensor& x) { return x.narrow(0, segment.begin, rows).transpose(0, 1); };
    const at::Tensor y =
        segment.cache == nullptr
            ? ops::causal_attention(own(q), own(k), own(v), scale)
            : ops::causal_attention(own(q), segment.cache->append(index_, own(k), own(v)), scale);
    outputs.push_back(y.transpose(0, 1).reshape({rows, H * d}));
  }
  return o_proj_->forward(outputs.size() == 1 ? outputs[0] : at::cat(outputs));
}

at::Tensor DecoderLayerImpl::mlp(const at::Tensor& x_SD) const {
  return nn::swiglu_mlp(x_SD, *gate_proj_, *up_proj_, *down_proj_);
}

at::Tensor DecoderLayerImpl::forward(at::Tensor x_SD, const ops::RopeTable& rope,
                                     std::span<const Segment> segments) const {
  x_SD = nn::residual(x_SD, attention(input_layernorm_->forward(x_SD), rope, segments));
  return nn::residual(x_SD, mlp(post_attention_layernorm_->forward(x_SD)));
}

at::Tensor DecoderLayerImpl::forward(const at::Tensor& x_SD, const ops::RopeTable& rope,
                                     const ops::PackedSequences& sequences) const {
  const auto [q, k, v] = heads(input_layernorm_->forward(x_SD), rope);
  const double scale = 1.0 / std::sqrt(static_cast<double>(config_.head_dim));
  const at::Tensor y = nn::residual(x_SD, o_proj_->forward(ops::packed_attention(q, k, v, sequences, scale)));
  return nn::residual(y, mlp(post_attention_layernorm_->forward(y)));
}

LanguageModelImpl::LanguageModelImpl(const nn::Scope& scope, const weights::TextConfig& config)
    : config_(config) {
  auto embedding = register_module("embed_tokens", std::make_shared<torch::nn::Module>("embed_tokens"));
  const nn::Scope at_embedding = scope / "embed_tokens";
  const auto table = {config.vocab_size, config.hidden_size};
  embed_tokens_.packed = at_embedding.packed("weight", table);
  if (!embed_tokens_.packed) {
    embed_tokens_.plain = embedding->register_parameter("weight", at_embedding.get("weight", table),
                                                        /*requires_grad=*/false);
  }
  auto layers = register_module("layers", std::make_shared<torch::nn::Module>("layers"));
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string index = std::to_string(i);
    layers_.push_back(layers->register_module(index, DecoderLayer(scope / "layers" / index, config, i)));
  }
  norm_ = register_module("norm", nn::RmsNorm(scope / "norm", config.hidden_size, config.rms_norm_eps));
}

at::Tensor LanguageModelImpl::embed(const at::Tensor& ids) const {
  const at::Tensor rows = embed_tokens_.rows(ids);
  return rows.is_cpu() ? rows.to(at::kFloat) : rows;
}

at::Tensor LanguageModelImpl::forward(at::Tensor x_SD, std::span<const Segment> segments) const {
  std::vector<at::Tensor> positions;
  for (const Segment& segment : segments) {
    const int64_t first = segment.cache == nullptr ? 0 : segment.cache->length();
    positions.push_back(at::arange(first, first + segment.end - segment.begin, at::kLong));
  }
  const ops::RopeTable rope =
      ops::rope_1d(at::cat(positions).to(x_SD.device()), config_.head_dim, config_.rope_theta);
  for (const DecoderLayer& layer : layers_) x_SD = layer->forward(x_SD, rope, segments);
  for (const Segment& segment : segments) {
    if (segment.cache != nullptr) segment.cache->advance(segment.end - segment.begin);
  }
  return norm_->forward(x_SD);
}

at::Tensor LanguageModelImpl::forward(at::Tensor x_SD, const ops::PackedSequences& sequences,
                                      bool recompute) const {
  const ops::RopeTable rope = ops::rope_1d(sequences.positions(), config_.head_dim, config_.rope_theta);
  for (const DecoderLayer& layer : layers_) {
    const auto call = [&layer = *layer, rope, &sequences](const at::Tensor& x) {
      return layer.forward(x, rope, sequences);
    };
    x_SD = recompute ? nn::recomputed(*layer, call, x_SD) : call(x_SD);
  }
  return norm_->forward(x_SD);
}

}  // namespace vl3::lm
