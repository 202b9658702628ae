// Qwen2.5 decoder over packed rows: one call may hold rows of several sequences, each with its own positions
// and, at inference, its own cache. Positions are 1-D, 0..L-1 over the fused sequence (no multimodal rope).
#pragma once

#include <span>

#include "lm/kv_cache.h"
#include "nn/modules.h"
#include "ops/packed_attention.h"
#include "ops/rope.h"
#include "weights/model_config.h"

namespace vl3::lm {

// Letters: S packed rows, D hidden size, H query heads, KV key/value heads, d head dim, V vocabulary rows.

/// Rows [begin, end) of the packed input that belong to one sequence; they attend to its cache and to each
/// other.
struct Segment {
  int64_t begin = 0;
  int64_t end = 0;
  KvCache* cache = nullptr;  ///< null: the segment is the whole sequence (training)
};

class DecoderLayerImpl : public torch::nn::Module {
 public:
  DecoderLayerImpl(const nn::Scope& scope, const weights::TextConfig& config, int64_t index);
  at::Tensor forward(at::Tensor x_SD, const ops::RopeTable& rope, std::span<const Segment> segments) const;
  /// Training: whole sequences, no cache.
  at::Tensor forward(const at::Tensor& x_SD, const ops::RopeTable& rope,
                     const ops::PackedSequences& sequences) const;

 private:
  struct Heads {
    at::Tensor q, k, v;  // [S, H or KV, d], turned by position
  };
  Heads heads(const at::Tensor& x_SD, const ops::RopeTable& rope) const;
  at::Tensor attention(const at::Tensor& x_SD, const ops::RopeTable& rope,
                       std::span<const Segment> segments) const;
  at::Tensor mlp(const at::Tensor& x_SD) const;

  weights::TextConfig config_;
  int64_t index_;
  nn::RmsNorm input_layernorm_{nullptr}, post_attention_layernorm_{nullptr};
  nn::Linear q_proj_{nullptr}, k_proj_{nullptr}, v_proj_{nullptr}, o_proj_{nullptr};
  nn::Linear gate_proj_{nullptr}, up_proj_{nullptr}, down_proj_{nullptr};
};
TORCH_MODULE(DecoderLayer);

class LanguageModelImpl : public torch::nn::Module {
 public:
  LanguageModelImpl(const nn::Scope& scope, const weights::TextConfig& config);

  /// @param ids  int64 [S]  @return [S, D], float32 on the CPU, else the weights' dtype.
  at::Tensor embed(const at::Tensor& ids) const;

  /// @param x_SD  embeddings; consumed. @param segments  cover [0, S) in order.
  /// @return final-norm hidden states [S, D]; the caches have advanced. Source: Qwen2Model.
  at::Tensor forward(at::Tensor x_SD, std::span<const Segment> segments) const;

  /// Training: the row's sequences are whole, none has a cache.
  /// @param recompute  keep only each layer's input for backward (nn/recompute.h).
  /// @return final-norm hidden states [S, D] of x's dtype.
  at::Tensor forward(at::Tensor x_SD, const ops::PackedSequences& sequences, bool recompute) const;

  /// [V, D]
  const nn::Matrix& embed_tokens() const { return embed_tokens_; }
  /// The same where it is plain, as in training.
  const at::Tensor& embed_tokens_weight() const { return embed_tokens_.plain; }

 private:
  weights::TextConfig config_;
  nn::Matrix embed_tokens_;
  std::vector<DecoderLayer> layers_;
  nn::RmsNorm norm_{nullptr};
};
TORCH_MODULE(LanguageModel);

}  // namespace vl3::lm
