// Keys and values of one sequence, all layers. Positions are appended in order and may be taken back
// (truncate). One owner at a time; not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ops/attention.h"
#include "weights/model_config.h"

namespace vl3::lm {

class KvCache {
 public:
  /// @param capacity  positions reserved now; append() grows past it by half when needed.
  /// @param dtype  float32, bfloat16, or on the CPU int8 (kChar): each head of a position by its own greatest
  /// value.
  KvCache(const weights::TextConfig& config, int64_t capacity, at::ScalarType dtype, at::Device device);

  /// Appends S positions to one layer. @param k,v [KV, S, d].
  /// @return views of everything held, the new positions last.
  ops::CachedRows append(int64_t layer, const at::Tensor& k, const at::Tensor& v);

  int64_t length() const { return length_; }
  /// Called once all layers have appended S positions.
  void advance(int64_t S) { length_ += S; }
  /// Forgets everything from position `length` on.
  void truncate(int64_t length);
  void reserve(int64_t capacity);

  /// Bytes that `positions` positions take.
  static int64_t bytes(const weights::TextConfig& config, int64_t positions, at::ScalarType dtype);

 private:
  int64_t length_ = 0;
  int64_t capacity_ = 0;
  std::vector<ops::CachedRows> layers_;  // k, v [KV, capacity, d], scales [KV, capacity]
};

}  // namespace vl3::lm
