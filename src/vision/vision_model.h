// Any-resolution vision encoder: SigLIP-shaped blocks, 2-D rotary positions, attention inside each frame.
// Frames of one size are a batch without mask or padding; frames of many sizes, as a training row has them,
// lie one after the other. Not thread-safe while training; without gradients several threads may encode.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "nn/modules.h"
#include "ops/packed_attention.h"
#include "ops/rope.h"
#include "weights/model_config.h"

namespace vl3::vision {

// Letters: T frames, N = h*w patches a frame in block order, P patches of all frames, C = channels *
// patch_size^2, D hidden size, M = N / merge^2 merged tokens. In the layers x is [T, N, D] or [P, D].

/// Patches of a frame, rows and columns, and how many of each a token is the mean of.
struct FrameSize {
  int64_t h, w, merge;
  bool operator==(const FrameSize&) const = default;
};

/// Where the patches of a layer's input stand.
struct Places {
  ops::RopeTable rope;
  std::shared_ptr<const ops::PackedSequences> frames;  ///< of [P, D]; null: [T, N, D]
};

/// Called with intermediate results ("patch_embed", "layer0", "post_layernorm") for the parity trace.
using Observer = std::function<void(const char* name, const at::Tensor& x)>;

class SelfAttentionImpl : public torch::nn::Module {
 public:
  SelfAttentionImpl(const nn::Scope& scope, const weights::VisionConfig& config);
  /// @param x  let go of as soon as it was read, where no gradient is recorded.
  at::Tensor forward(at::Tensor x, const Places& places) const;

 private:
  int64_t heads_;
  nn::Linear q_proj_, k_proj_, v_proj_, out_proj_;
};
TORCH_MODULE(SelfAttention);

class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(const nn::Scope& scope, const weights::VisionConfig& config);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  nn::Linear fc1_, fc2_;
};
TORCH_MODULE(Mlp);

class EncoderLayerImpl : public torch::nn::Module {
 public:
  EncoderLayerImpl(const nn::Scope& scope, const weights::VisionConfig& config);
  at::Tensor forward(at::Tensor x, const Places& places) const;

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
  /// @return merged features [T, M, D]: each merge x merge block after the post layer norm, resized to one.
  /// Source: spec "Vision encoder"; paper section 2.1 (AVT).
  at::Tensor forward(at::Tensor pixels_TNC, int64_t h, int64_t w, int64_t merge,
                     const Observer& observer = nullptr) const;
  /// The same for frames of any sizes one after the other, for training: one product a layer for all of them.
  /// @param pixels_PC  as above.  @return [sum of M, D]
  at::Tensor forward(at::Tensor pixels_PC, const std::vector<FrameSize>& frames) const;
  /// Keep only each layer's input for backward (nn/recompute.h); has no effect without gradients.
  void set_recompute(bool recompute) { recompute_ = recompute; }

 private:
  ops::RopeTable rope(const FrameSize& size, at::Device device) const;
  at::Tensor encode(at::Tensor pixels, const Places& places, const Observer& observer) const;

  weights::VisionConfig config_;
  bool recompute_ = false;
  at::Tensor patch_weight_, patch_bias_;
  std::vector<EncoderLayer> layers_;
  nn::LayerNorm post_layernorm_{nullptr};
};
TORCH_MODULE(VisionModel);

}  // namespace vl3::vision
