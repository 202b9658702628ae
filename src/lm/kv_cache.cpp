#include "lm/kv_cache.h"

#include <ATen/ops/empty.h>

#include "core/check.h"
#include "ops/rounded_heads.h"

namespace vl3::lm {
namespace {

// Rows x [KV, S, d] into values [KV, capacity, d] and scales [KV, capacity] from position `first` on.
void round_rows(const at::Tensor& x, int64_t first, at::Tensor& values, at::Tensor& scales) {
  const at::Tensor rows = x.to(at::kFloat).contiguous();
  const int64_t S = rows.size(1), d = rows.size(2);
  const float* from = rows.const_data_ptr<float>();
  for (int64_t head = 0; head < rows.size(0); ++head) {
    int8_t* to = values.data_ptr<int8_t>() + head * values.stride(0) + first * d;
    float* scale = scales.data_ptr<float>() + head * scales.stride(0) + first;
    for (int64_t s = 0; s < S; ++s, from += d) scale[s] = ops::round_head(from, d, to + s * d);
  }
}

}  // namespace

KvCache::KvCache(const weights::TextConfig& config, int64_t capacity, at::ScalarType dtype, at::Device device)
    : capacity_(capacity) {
  VL3_CHECK(dtype != at::kChar || device.is_cpu(), kUnsupported, "a KV cache of 8 bits: only on the CPU");
  const auto options = at::TensorOptions(dtype).device(device);
  const auto make = [&] {
    return at::empty({config.num_key_value_heads, capacity, config.head_dim}, options);
  };
  const auto make_scales = [&] {
    return dtype == at::kChar ? at::empty({config.num_key_value_heads, capacity}, at::kFloat) : at::Tensor();
  };
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    layers_.push_back({make(), make(), make_scales(), make_scales()});
}

ops::CachedRows KvCache::append(int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  const int64_t S = k.size(1), end = length_ + S;
  if (end > capacity_) reserve(std::max(end, capacity_ + capacity_ / 2));
  ops::CachedRows& held = layers_.at(static_cast<size_t>(layer));
  if (held.k_scale.defined()) {
    round_rows(k, length_, held.k, held.k_scale);
    round_rows(v, length_, held.v, held.v_scale);
    return {held.k.narrow(1, 0, end), held.v.narrow(1, 0, end), held.k_scale.narrow(1, 0, end),
            held.v_scale.narrow(1, 0, end)};
  }
  held.k.narrow(1, length_, S).copy_(k);
  held.v.narrow(1, length_, S).copy_(v);
  return {held.k.narrow(1, 0, end), held.v.narrow(1, 0, end), {}, {}};
}

void KvCache::truncate(int64_t length) {
  VL3_DCHECK(length >= 0 && length <= length_);
  length_ = length;
}

void KvCache::reserve(int64_t capacity) {
  if (capacity <= capacity_) return;
  for (ops::CachedRows& held : layers_) {
    for (at::Tensor* tensor : {&held.k, &held.v, &held.k_scale, &held.v_scale}) {
      if (!tensor->defined()) continue;
      std::vector<int64_t> shape = tensor->sizes().vec();
      shape[1] = capacity;
      at::Tensor larger = at::empty(shape, tensor->options());
      larger.narrow(1, 0, capacity_).copy_(*tensor);
      *tensor = larger;
    }
  }
  capacity_ = capacity;
}

int64_t KvCache::bytes(const weights::TextConfig& config, int64_t positions, at::ScalarType dtype) {
  const int64_t scale = dtype == at::kChar ? static_cast<int64_t>(sizeof(float)) : 0;
  const int64_t head = config.head_dim * static_cast<int64_t>(c10::elementSize(dtype)) + scale;
  return 2 * config.num_hidden_layers * config.num_key_value_heads * head * positions;
}

}  // namespace vl3::lm
