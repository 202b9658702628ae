// A matrix of the model in 8 or 4 bits, packed for the kernels when it is first used: what a request does not
// touch is never packed, and its file is never read.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "ops/quantised_weight.h"

namespace vl3::nn {

/// Thread-safe.
class PackedWeight {
 public:
  using Make = std::function<ops::QuantisedWeight()>;
  /// How a product's inputs are taken.
  enum class Inputs {
    kRounded,  ///< to 8 bits, as the kernels do
    kExact     ///< as they are, with the weight written out as numbers: to measure what rounding costs
  };
  /// @param bytes  it is going to take.  @param dtype  of the model's plain parameters.
  PackedWeight(uint64_t bytes, at::ScalarType dtype, Make make, Inputs inputs = Inputs::kRounded)
      : bytes_(bytes), dtype_(dtype), inputs_(inputs), make_(std::move(make)) {}

  /// Packed at the first call.
  const ops::QuantisedWeight& get() const;
  bool ready() const;
  uint64_t bytes() const { return ready() ? weight_->bytes() : bytes_; }
  at::ScalarType dtype() const { return dtype_; }
  Inputs inputs() const { return inputs_; }

 private:
  uint64_t bytes_;
  at::ScalarType dtype_;
  Inputs inputs_;
  mutable std::mutex mutex_;
  mutable Make make_;
  mutable std::optional<ops::QuantisedWeight> weight_;
};

/// A matrix [O, I] as a module holds it: plain or packed, one of both.
struct Matrix {
  at::Tensor plain;
  std::shared_ptr<const PackedWeight> packed;

  /// x W^T + b. @param bias  of x's dtype where packed, else as ops::linear() takes it.
  at::Tensor product(const at::Tensor& x, const at::Tensor& bias = {}) const;
  /// Rows of the table. @param ids  int64 [n]. @return [n, I] of the plain one's dtype, or float32.
  at::Tensor rows(const at::Tensor& ids) const;
};

}  // namespace vl3::nn
