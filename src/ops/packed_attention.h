// Attention of several sequences that lie one after the other in a row, for training: the decoder's samples
// (causal) and the encoder's frames (every patch of a frame sees all of it).
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace vl3::ops {

enum class Sees { kBefore, kAll };  ///< which keys of its own sequence a query sees

/// Sequences of a packed row, grouped into padded batches of similar lengths: one product a batch instead of
/// one a sequence. Padding stands at the end, where causality hides it from every real query; where a query
/// sees all, a mask does, and long sequences, which take libtorch's fused attention, are not padded.
class PackedSequences {
 public:
  /// @param lengths  of the sequences in row order, each > 0.
  PackedSequences(const std::vector<int64_t>& lengths, at::Device device, Sees sees = Sees::kBefore);

  struct Batch {
    int64_t count = 0;    ///< sequences
    int64_t longest = 0;  ///< rows each is padded to
    at::Tensor rows;      ///< int64 [count * longest]: the row each place holds; padding repeats the last one
    std::vector<int64_t> lengths;
    at::Tensor hidden;  ///< bool [count, 1, 1, 1, longest]: padding; undefined where there is none to hide
  };
  Sees sees() const { return sees_; }
  const std::vector<Batch>& batches() const { return batches_; }
  int64_t rows() const { return rows_; }
  /// int64 [rows()]: where each row went in the batches laid one after the other; undefined when rows kept
  /// their order and nothing was padded.
  const at::Tensor& places() const { return places_; }
  const at::Tensor& positions() const { return positions_; }  ///< int64 [rows()], from 0 in every sequence

 private:
  std::vector<Batch> batches_;
  Sees sees_;
  int64_t rows_ = 0;
  at::Tensor places_, positions_;
};

/// Attention inside every sequence, with grouped heads.
/// @param q [S, H, d]  @param k,v [S, KV, d], KV divides H; all of one float dtype.
/// @return [S, H * d]. Differentiable.
///
/// Which product, by measurement (forward and backward, one thread of an AVX512-BF16 server CPU): float32 is
/// fastest in libtorch's fused attention at every length; in bfloat16 short sequences are fastest as two
/// plain products and a softmax over grouped heads (16 x 120 tokens, 8 heads of 32: 14 ms against 43 ms),
/// long ones fused (2 x 1500 tokens, 12 heads of 64: 369 ms against 721 ms).
at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const PackedSequences& sequences, double scale);

/// Longest bfloat16 sequence on the CPU that the plain products take.
inline constexpr int64_t kPlainAttentionRows = 512;

}  // namespace vl3::ops
