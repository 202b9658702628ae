// Text ids and visual features in prompt order, handed on as chunks of embedding rows: what the decoder is
// prefilled with. Holds only what was not taken yet. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <functional>
#include <vector>

namespace vl3::fuse {

class EmbeddingStream {
 public:
  /// Looks ids (int64 [S]) up in the embedding table: [S, D].
  using Embed = std::function<at::Tensor(const at::Tensor& ids)>;

  explicit EmbeddingStream(Embed embed) : embed_(std::move(embed)) {}

  void push_text(int64_t id) { ids_.push_back(id), ++rows_; }
  /// @param features_KD  kept visual tokens of one image or frame, in the embedding's dtype; K may be 0.
  void push_features(const at::Tensor& features_KD);

  int64_t rows() const { return rows_; }
  /// Drops the next rows; at most rows().
  void skip(int64_t count);
  /// The next rows, at most `limit`: [S, D]. S = 0 only when nothing is held.
  at::Tensor take(int64_t limit);

 private:
  void flush_text();

  Embed embed_;
  std::vector<int64_t> ids_;         // text pushed since the last features
  std::deque<at::Tensor> embedded_;  // [*, D] each
  int64_t rows_ = 0;
};

}  // namespace vl3::fuse
