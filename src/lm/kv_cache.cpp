#include "lm/kv_cache.h"

#include <ATen/ops/empty.h>

#include "core/check.h"

namespace vl3::lm {

KvCache::KvCache(const weights::TextConfig& config, int64_t capacity, at::ScalarType dtype, at::Device device)
    : capacity_(capacity) {
  const auto options = at::TensorOptions(dtype).device(device);
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    k_.push_back(at::empty({config.num_key_value_heads, capacity, config.head_dim}, options));
    v_.push_back(at::empty({config.num_key_value_heads, capacity, config.head_dim}, options));
  }
}

std::pair<at::Tensor, at::Tensor> KvCache::append(int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  const int64_t S = k.size(1), end = length_ + S;
  if (end > capacity_) reserve(std::max(end, capacity_ + capacity_ / 2));
  at::Tensor& keys = k_.at(static_cast<size_t>(layer));
  at::Tensor& values = v_.at(static_cast<size_t>(layer));
  keys.narrow(1, length_, S).copy_(k);
  values.narrow(1, length_, S).copy_(v);
  return {keys.narrow(1, 0, end), values.narrow(1, 0, end)};
}

void KvCache::truncate(int64_t length) {
  VL3_DCHECK(length >= 0 && length <= length_);
  length_ = length;
}

void KvCache::reserve(int64_t capacity) {
  if (capacity <= capacity_) return;
  for (auto* tensors : {&k_, &v_}) {
    for (at::Tensor& tensor : *tensors) {
      at::Tensor larger = at::empty({tensor.size(0), capacity, tensor.size(2)}, tensor.options());
      larger.narrow(1, 0, capacity_).copy_(tensor);
      tensor = larger;
    }
  }
  capacity_ = capacity;
}

int64_t KvCache::bytes(const weights::TextConfig& config, int64_t positions, at::ScalarType dtype) {
  return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * positions *
         static_cast<int64_t>(c10::elementSize(dtype));
}

}  // namespace vl3::lm
