// The decoder for serving on the CPU: rows of many sequences in one step, their keys and values in pages of
// one pool. With float32 or 8-bit weights a row's numbers do not depend on the other rows, on how prompts
// were cut into pieces, or on whether keys were computed now or found in the cache. One thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lm/language_model.h"
#include "weights/model_config.h"

namespace vl3::lm {

/// Rows [begin, end) of a step: the next rows of one sequence.
struct PagedSegment {
  int64_t begin = 0, end = 0;
  int64_t position = 0;            ///< of row `begin`
  std::span<const int32_t> pages;  ///< hold positions 0..position + (end - begin)
};

class PagedDecoder {
 public:
  /// @param head  [V, D] @param cache_dtype  float32, bfloat16 or int8 (kChar).
  /// @throws Error(kResourceExhausted) where the cache does not fit into memory.
  PagedDecoder(const LanguageModelImpl& model, const weights::TextConfig& config, nn::Matrix head,
               at::ScalarType cache_dtype, int32_t pages, int64_t page_rows);

  /// @param x_SD  float32 embeddings; consumed. @return final-norm hidden states [S, D].
  at::Tensor forward(at::Tensor x_SD, std::span<const PagedSegment> segments);
  /// @return [P, V] float32.
  at::Tensor logits(const at::Tensor& hidden_PD) const;

  static int64_t page_bytes(const weights::TextConfig& config, at::ScalarType cache_dtype, int64_t page_rows);

 private:
  struct Layer {
    at::Tensor input_norm, post_norm;
    std::shared_ptr<const nn::LinearImpl> q, k, v, o, gate, up, down;
    at::Tensor k_pages, v_pages;    // [pages, KV, page_rows, d]
    at::Tensor k_scales, v_scales;  // [pages, KV, page_rows] float32, of 8 bits only
  };
  at::Tensor attention(const Layer& layer, const at::Tensor& x, std::span<const PagedSegment> segments);
  void turn(at::Tensor& x, int64_t heads) const;
  void store(const Layer& layer, const at::Tensor& k, const at::Tensor& v,
             std::span<const PagedSegment> segments) const;

  weights::TextConfig config_;
  nn::Matrix head_;
  at::Tensor norm_;
  int64_t page_rows_;
  std::vector<Layer> layers_;
  at::Tensor cos_, sin_;            // [max positions, d / 2]
  std::vector<int64_t> positions_;  // of the step's rows
};

}  // namespace vl3::lm
