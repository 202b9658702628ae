#include "vision/vision_model.h"

#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "core/check.h"
#include "nn/recompute.h"
#include "ops/attention.h"
#include "ops/flash_attention.h"
#include "ops/linear.h"

namespace vl3::vision {
namespace {

constexpr int64_t kMlpRows =
    4096;  // rows whose hidden activations exist at once when no gradient is recorded

}  // namespace

SelfAttentionImpl::SelfAttentionImpl(const nn::Scope& scope, const weights::VisionConfig& config)
    : heads_(config.num_attention_heads),
      q_proj_(register_module("q_proj",
                              nn::Linear(scope / "q_proj", config.hidden_size, config.hidden_size, true))),
      k_proj_(register_module("k_proj",
                              nn::Linear(scope / "k_proj", config.hidden_size, config.hidden_size, true))),
      v_proj_(register_module("v_proj",
                              nn::Linear(scope / "v_proj", config.hidden_size, config.hidden_size, true))),
      out_proj_(register_module(
          "out_proj", nn::Linear(scope / "out_proj", config.hidden_size, config.hidden_size, true))) {}

at::Tensor SelfAttentionImpl::forward(at::Tensor x_TND, const ops::RopeTable& rope) const {
  const int64_t T = x_TND.size(0), N = x_TND.size(1), D = x_TND.size(2), d = D / heads_;
  const auto split = [&](const at::Tensor& y) { return y.view({T, N, heads_, d}); };
  const at::ScalarType products = q_proj_->dtype();
  at::Tensor v = split(v_proj_->forward(x_TND)).transpose(1, 2);
  at::Tensor k = ops::apply_rope(split(k_proj_->forward(x_TND)), rope).transpose(1, 2);
  if (products == at::kBFloat16 && ops::takes_flash(k)) {  // rounds both anyway, and a frame may be large
    v = v.to(at::kBFloat16);
    k = k.to(at::kBFloat16);
  }
  const at::Tensor q = ops::apply_rope(split(q_proj_->forward(x_TND)), rope).transpose(1, 2);
  if (!c10::GradMode::is_enabled()) x_TND.reset();
  const at::Tensor y = ops::full_attention(q, k, v, 1.0 / std::sqrt(static_cast<double>(d)), products);
  return out_proj_->forward(y.transpose(1, 2).reshape({T, N, D}));
}

MlpImpl::MlpImpl(const nn::Scope& scope, const weights::VisionConfig& config)
    : fc1_(register_module("fc1",
                           nn::Linear(scope / "fc1", config.hidden_size, config.intermediate_size, true))),
      fc2_(register_module("fc2",
                           nn::Linear(scope / "fc2", config.intermediate_size, config.hidden_size, true))) {}

at::Tensor MlpImpl::forward(const at::Tensor& x_TND) const {
  const auto run = [this](const at::Tensor& x) { return nn::gelu_mlp(x, *fc1_, *fc2_); };
  if (c10::GradMode::is_enabled() || x_TND.size(0) * x_TND.size(1) <= kMlpRows) return run(x_TND);
  const at::Tensor x = x_TND.reshape({-1, x_TND.size(2)});
  at::Tensor y = at::empty_like(x);
  for (int64_t row = 0; row < x.size(0); row += kMlpRows) {
    const int64_t rows = std::min(kMlpRows, x.size(0) - row);
    y.narrow(0, row, rows).copy_(run(x.narrow(0, row, rows)));
  }
  return y.view(x_TND.sizes());
}

EncoderLayerImpl::EncoderLayerImpl(const nn::Scope& scope, const weights::VisionConfig& config)
    : layer_norm1_(register_module(
          "layer_norm1", nn::LayerNorm(scope / "layer_norm1", config.hidden_size, config.layer_norm_eps))),
      layer_norm2_(register_module(
          "layer_norm2", nn::LayerNorm(scope / "layer_norm2", config.hidden_size, config.layer_norm_eps))),
      self_attn_(register_module("self_attn", SelfAttention(scope / "self_attn", config))),
      mlp_(register_module("mlp", Mlp(scope / "mlp", config))) {}

at::Tensor EncoderLayerImpl::forward(at::Tensor x_TND, const ops::RopeTable& rope) const {
  x_TND = nn::residual(x_TND, self_attn_->forward(layer_norm1_->forward(x_TND), rope));
  return nn::residual(x_TND, mlp_->forward(layer_norm2_->forward(x_TND)));
}

VisionModelImpl::VisionModelImpl(const nn::Scope& scope, const weights::VisionConfig& config)
    : config_(config) {
  const int64_t p = config.patch_size;
  // The patch embedding is a convolution whose stride equals its kernel: a linear over the patch's own
  // values.
  auto embeddings = std::make_shared<torch::nn::Module>("embeddings");
  auto patch = std::make_shared<torch::nn::Module>("patch_embedding");
  const nn::Scope at = scope / "embeddings" / "patch_embedding";
  patch_weight_ = patch->register_parameter(
      "weight", at.get("weight", {config.hidden_size, config.num_channels, p, p}), /*requires_grad=*/false);
  patch_bias_ =
      patch->register_parameter("bias", at.get("bias", {config.hidden_size}), /*requires_grad=*/false);
  embeddings->register_module("patch_embedding", patch);
  register_module("embeddings", embeddings);

  auto encoder = register_module("encoder", std::make_shared<torch::nn::Module>("encoder"));
  auto layers = encoder->register_module("layers", std::make_shared<torch::nn::Module>("layers"));
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string index = std::to_string(i);
    layers_.push_back(
        layers->register_module(index, EncoderLayer(scope / "encoder" / "layers" / index, config)));
  }
  post_layernorm_ = register_module(
      "post_layernorm", nn::LayerNorm(scope / "post_layernorm", config.hidden_size, config.layer_norm_eps));
}

at::Tensor VisionModelImpl::forward(at::Tensor pixels_TNC, int64_t h, int64_t w, int64_t merge,
                                    const Observer& observer) const {
  const int64_t T = pixels_TNC.size(0), N = h * w, D = config_.hidden_size;
  VL3_DCHECK(pixels_TNC.dim() == 3 && pixels_TNC.size(1) == N && h % merge == 0 && w % merge == 0);
  at::Tensor x = ops::linear(pixels_TNC, patch_weight_.view({D, -1}), patch_bias_);
  pixels_TNC.reset();
  if (observer) observer("patch_embed", x);
  const ops::RopeTable rope =
      ops::rope_2d(h, w, merge, D / config_.num_attention_heads, config_.rope_theta, x.device());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto call = [&layer = *layers_[i], rope](const at::Tensor& y) { return layer.forward(y, rope); };
    x = recompute_ ? nn::recomputed(*layers_[i], call, x) : call(x);
    if (observer && i == 0) observer("layer0", x);
  }
  x = post_layernorm_->forward(x);
  if (observer) observer("post_layernorm", x);
  if (merge == 1) return x;
  return x.view({T, N / (merge * merge), merge * merge, D}).mean(2);
}

}  // namespace vl3::vision
