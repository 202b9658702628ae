#include "vision/vision_model.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <map>
#include <tuple>

#include "core/check.h"
#include "nn/recompute.h"
#include "ops/attention.h"
#include "ops/flash_attention.h"
#include "ops/linear.h"

namespace vl3::vision {
namespace {

// Rows whose hidden activations exist at once, at most, when no gradient is recorded.
constexpr int64_t kMlpRows = 1024;

// A merge x merge block of patches as one token: bilinear resizing with half-pixel centres, which reads the
// four patches (or the one) around the middle of the block. @param x [..., P, D] in block order.
at::Tensor merged(const at::Tensor& x, int64_t merge) {
  if (merge == 1) return x;
  const at::Tensor blocks = x.unflatten(-2, {-1, merge, merge});
  const int64_t first = (merge - 1) / 2, read = 2 - merge % 2;
  return blocks.narrow(-3, first, read).narrow(-2, first, read).flatten(-3, -2).mean(-2);
}

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

at::Tensor SelfAttentionImpl::forward(at::Tensor x, const Places& places) const {
  const int64_t d = x.size(-1) / heads_;
  const double scale = 1.0 / std::sqrt(static_cast<double>(d));
  const auto split = [&](const at::Tensor& y) { return y.unflatten(-1, {heads_, d}); };
  const auto turned = [&](const at::Tensor& y) { return ops::apply_rope_in_place(split(y), places.rope); };
  if (places.frames) {
    return out_proj_->forward(ops::packed_attention(turned(q_proj_->forward(x)), turned(k_proj_->forward(x)),
                                                    split(v_proj_->forward(x)), *places.frames, scale));
  }
  const at::ScalarType products = q_proj_->dtype();
  at::Tensor v = split(v_proj_->forward(x)).transpose(1, 2);
  at::Tensor k = turned(k_proj_->forward(x)).transpose(1, 2);
  if (products == at::kBFloat16 && ops::takes_flash(k)) {  // rounds both anyway, and a frame may be large
    v = v.to(at::kBFloat16);
    k = k.to(at::kBFloat16);
  }
  const at::Tensor q = turned(q_proj_->forward(x)).transpose(1, 2);
  if (!c10::GradMode::is_enabled()) x.reset();
  const at::Tensor y = ops::full_attention_over_q(q, k, v, scale, products);
  return out_proj_->forward(y.transpose(1, 2).flatten(2));
}

MlpImpl::MlpImpl(const nn::Scope& scope, const weights::VisionConfig& config)
    : fc1_(register_module("fc1",
                           nn::Linear(scope / "fc1", config.hidden_size, config.intermediate_size, true))),
      fc2_(register_module("fc2",
                           nn::Linear(scope / "fc2", config.intermediate_size, config.hidden_size, true))) {}

at::Tensor MlpImpl::forward(const at::Tensor& x) const {
  const auto run = [this](const at::Tensor& rows) { return nn::gelu_mlp(rows, *fc1_, *fc2_); };
  const int64_t P = x.numel() / x.size(-1);
  if (c10::GradMode::is_enabled() || P <= kMlpRows) return run(x);
  const at::Tensor x_PD = x.reshape({P, x.size(-1)});
  at::Tensor y_PD = at::empty_like(x_PD);
  const int64_t blocks = (P + kMlpRows - 1) / kMlpRows, most = (P + blocks - 1) / blocks;
  for (int64_t row = 0; row < P; row += most) {
    const int64_t rows = std::min(most, P - row);
    y_PD.narrow(0, row, rows).copy_(run(x_PD.narrow(0, row, rows)));
  }
  return y_PD.view(x.sizes());
}

EncoderLayerImpl::EncoderLayerImpl(const nn::Scope& scope, const weights::VisionConfig& config)
    : layer_norm1_(register_module(
          "layer_norm1", nn::LayerNorm(scope / "layer_norm1", config.hidden_size, config.layer_norm_eps))),
      layer_norm2_(register_module(
          "layer_norm2", nn::LayerNorm(scope / "layer_norm2", config.hidden_size, config.layer_norm_eps))),
      self_attn_(register_module("self_attn", SelfAttention(scope / "self_attn", config))),
      mlp_(register_module("mlp", Mlp(scope / "mlp", config))) {}

at::Tensor EncoderLayerImpl::forward(at::Tensor x, const Places& places) const {
  x = nn::residual(x, self_attn_->forward(layer_norm1_->forward(x), places));
  return nn::residual(x, mlp_->forward(layer_norm2_->forward(x)));
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

ops::RopeTable VisionModelImpl::rope(const FrameSize& size, at::Device device) const {
  return ops::rope_2d(size.h, size.w, size.merge, config_.hidden_size / config_.num_attention_heads,
                      config_.rope_theta, device);
}

at::Tensor VisionModelImpl::encode(at::Tensor pixels, const Places& places, const Observer& observer) const {
  at::Tensor x = ops::linear(pixels, patch_weight_.view({config_.hidden_size, -1}), patch_bias_);
  pixels.reset();
  if (observer) observer("patch_embed", x);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto call = [&layer = *layers_[i], places](const at::Tensor& y) {
      return layer.forward(y, places);
    };
    x = recompute_ ? nn::recomputed(*layers_[i], call, x) : call(x);
    if (observer && i == 0) observer("layer0", x);
  }
  x = post_layernorm_->forward(x);
  if (observer) observer("post_layernorm", x);
  return x;
}

at::Tensor VisionModelImpl::forward(at::Tensor pixels_TNC, int64_t h, int64_t w, int64_t merge,
                                    const Observer& observer) const {
  VL3_DCHECK(pixels_TNC.dim() == 3 && pixels_TNC.size(1) == h * w && h % merge == 0 && w % merge == 0);
  const Places places{rope({h, w, merge}, pixels_TNC.device()), nullptr};
  return merged(encode(std::move(pixels_TNC), places, observer), merge);
}

at::Tensor VisionModelImpl::forward(at::Tensor pixels_PC, const std::vector<FrameSize>& frames) const {
  std::vector<int64_t> lengths;
  std::vector<at::Tensor> cos, sin;
  std::map<std::tuple<int64_t, int64_t, int64_t>, ops::RopeTable> tables;
  for (const FrameSize& size : frames) {
    lengths.push_back(size.h * size.w);
    ops::RopeTable& table = tables[{size.h, size.w, size.merge}];
    if (!table.cos.defined()) table = rope(size, pixels_PC.device());
    cos.push_back(table.cos);
    sin.push_back(table.sin);
  }
  const Places places{
      {at::cat(cos), at::cat(sin)},
      std::make_shared<const ops::PackedSequences>(lengths, pixels_PC.device(), ops::Sees::kAll)};
  VL3_DCHECK(pixels_PC.dim() == 2 && pixels_PC.size(0) == places.frames->rows());
  const at::Tensor x_PD = encode(std::move(pixels_PC), places, nullptr);
  // Neighbours of one merge at once.
  std::vector<at::Tensor> features;
  int64_t row = 0;
  for (size_t first = 0, next = 0; first < frames.size(); first = next) {
    int64_t rows = 0;
    for (; next < frames.size() && frames[next].merge == frames[first].merge; ++next) rows += lengths[next];
    features.push_back(merged(x_PD.narrow(0, row, rows), frames[first].merge));
    row += rows;
  }
  return features.size() == 1 ? features[0] : at::cat(features);
}

}  // namespace vl3::vision
