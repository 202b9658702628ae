#include "fuse/embedding_stream.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "core/check.h"

namespace vl3::fuse {

void EmbeddingStream::flush_text() {
  if (ids_.empty()) return;
  embedded_.push_back(embed_(at::tensor(ids_, at::TensorOptions(at::kLong))));
  ids_.clear();
}

void EmbeddingStream::push_features(const at::Tensor& features_KD) {
  VL3_DCHECK(features_KD.dim() == 2);
  if (features_KD.size(0) == 0) return;
  flush_text();
  rows_ += features_KD.size(0);
  embedded_.push_back(features_KD);
}

void EmbeddingStream::skip(int64_t count) {
  VL3_DCHECK(count >= 0 && count <= rows_);
  rows_ -= count;
  while (count > 0 && !embedded_.empty()) {
    at::Tensor& front = embedded_.front();
    const int64_t drop = std::min(count, front.size(0));
    count -= drop;
    if (drop == front.size(0)) {
      embedded_.pop_front();
    } else {
      front = front.narrow(0, drop, front.size(0) - drop);
    }
  }
  ids_.erase(ids_.begin(), ids_.begin() + count);  // what is left of it is text that was not looked up yet
}

at::Tensor EmbeddingStream::take(int64_t limit) {
  flush_text();
  std::vector<at::Tensor> taken;
  int64_t rows = 0;
  while (!embedded_.empty() && rows < limit) {
    at::Tensor& front = embedded_.front();
    const int64_t use = std::min(limit - rows, front.size(0));
    taken.push_back(front.narrow(0, 0, use));
    rows += use;
    if (use == front.size(0)) {
      embedded_.pop_front();
    } else {
      front = front.narrow(0, use, front.size(0) - use);
    }
  }
  rows_ -= rows;
  if (taken.empty()) return embed_(at::empty({0}, at::TensorOptions(at::kLong)));
  // A copy even of a single piece: the decoder adds to its input in place.
  return at::cat(taken);
}

}  // namespace vl3::fuse
