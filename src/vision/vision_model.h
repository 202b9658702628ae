// Any-resolution vision encoder: SigLIP-shaped blocks, 2-D rotary positions, attention inside each frame.
// One call encodes frames of one size as a batch, so no mask and no padding is needed. Not thread-safe while
// training; forward() without gradients may run from several threads.
#pragma once

#include <functional>

#include "nn/modules.h"
#include "ops/rope.h"
#include "weights/model_config.h"

namespace vl3::vision {

// Letters: T frames, N = h*w patches a frame in block order, C = channels * patch_size^2, D hidden size,
// M = N / merge^2 merged tokens.

/// Called with intermediate results ("patch_embed", "layer0", "post_layernorm") for the parity trace.
using Observer = std::function<void(const char* name, const at::Tensor& x_TND)>;

class SelfAttentionImpl : public torch::nn::Module {
 public:
  SelfAttentionImpl(const nn::Scope& scope, const weights::VisionConfig& config);
  /// @param x_TND  let go of as soon as it was read, where no gradient is recorded.
  at::Tensor forward(at::Tensor x_TND, const ops::RopeTable& rope) const;

 private:
  int64_t heads_;
  nn::Linear q_proj_, k_proj_, v_proj_, out_proj_;
};
TORCH_MODULE(SelfAttention);

class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(const nn::Scope& scope, const weights::VisionConfig& config);
  at::Tensor forward(const at::Tensor& x_TND) const;

 private:
  nn::Linear fc1_, fc2_;
};
TORCH_MODULE(Mlp);

class EncoderLayerImpl : public torch::nn::Module {
 public:
  EncoderLayerImpl(const nn::Scope& scope, const weights::VisionConfig& config);
  at::Tensor forward(at::Tensor x_TND, const ops::RopeTable& rope) const;

 private:
  nn::LayerNorm layer_norm1_, layer_norm2_;
  SelfAttention self_attn_;
  Mlp mlp_;
};
TORCH_MODULE(EncoderLayer);

class VisionModelImpl : public torch::nn::Module {
 public:
  VisionModelImpl(const nn::Scope& scope, const weights::VisionConfig& config);

  /// @param pixels_TNC  normalised patches, float32 (or the weights' dtype off the CPU), rows in block order
  /// for `merge`; let go of as soon as they were read.
  /// @return merged features [T, M, D]: the mean of each merge x merge block after the post layer norm.
  /// Source: spec "Vision encoder"; paper section 2.1 (AVT).
  at::Tensor forward(at::Tensor pixels_TNC, int64_t h, int64_t w, int64_t merge,
                     const Observer& observer = nullptr) const;
  /// Keep only each layer's input for backward (nn/recompute.h); has no effect without gradients.
  void set_recompute(bool recompute) { recompute_ = recompute; }

 private:
  weights::VisionConfig config_;
  bool recompute_ = false;
  at::Tensor patch_weight_, patch_bias_;
  std::vector<EncoderLayer> layers_;
  nn::LayerNorm post_layernorm_{nullptr};
};
TORCH_MODULE(VisionModel);

}  // namespace vl3::vision
