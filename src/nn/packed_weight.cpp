#include "nn/packed_weight.h"

#include <ATen/ops/index_select.h>

#include "ops/linear.h"

namespace vl3::nn {

const ops::QuantisedWeight& PackedWeight::get() const {
  const std::lock_guard lock(mutex_);
  if (!weight_) {
    weight_.emplace(make_());
    make_ = nullptr;
  }
  return *weight_;
}

bool PackedWeight::ready() const {
  const std::lock_guard lock(mutex_);
  return weight_.has_value();
}

at::Tensor Matrix::product(const at::Tensor& x, const at::Tensor& bias) const {
  if (!packed) return ops::linear(x, plain, bias);
  if (packed->inputs() == PackedWeight::Inputs::kRounded) return ops::linear(x, packed->get(), bias);
  return ops::linear(x, packed->get().dequantised(), bias);
}

at::Tensor Matrix::rows(const at::Tensor& ids) const {
  return packed ? packed->get().rows(ids) : at::index_select(plain, 0, ids);
}

}  // namespace vl3::nn
