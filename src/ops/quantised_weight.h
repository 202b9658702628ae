// A linear's weight in 8 or 4 bits and its products. Inputs are rounded to 8 bits as well, each row by its
// own greatest value, so that sums are of whole numbers (quantised_product.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ops/quantised_panels.h"

namespace vl3::ops {

/// A linear's weight in 8 or 4 bits, packed once for the kernels. Copies share the numbers; immutable.
class QuantisedWeight {
 public:
  /// @param values  int8 [O, I].  @param scale  float32 [O].
  static QuantisedWeight int8(const at::Tensor& values, const at::Tensor& scale);
  /// @param values  int8 [O, I], -8..7.  @param scale  float32 [O, I / group], group 32, 64, ..., 1024.
  static QuantisedWeight int4(const at::Tensor& values, const at::Tensor& scale);

  int64_t out_features() const { return panels_.O; }
  int64_t in_features() const { return panels_.I; }
  int bits() const { return panels_.bits; }
  int64_t group() const { return panels_.group; }  ///< inputs that share a scale; all of them for 8 bits
  size_t bytes() const { return static_cast<size_t>(panels_.bytes()); }  ///< of memory, packed

  at::Tensor dequantised() const;                ///< float32 [O, I]
  at::Tensor rows(const at::Tensor& ids) const;  ///< ids int64 [n]; float32 [n, I]: the embedding look-up

  const QuantisedPanels& panels() const { return panels_; }

 private:
  QuantisedWeight(const at::Tensor& values, const at::Tensor& scale, int bits);

  QuantisedPanels panels_;
  std::shared_ptr<const std::byte> memory_;
};

/// y = x W^T + b.
/// @param x  float32 [..., I] on the CPU, without a gradient.  @param bias  float dtype [O] or undefined.
/// @return float32 [..., O]. Each row of x is rounded to whole numbers of -127..127 times its greatest
///   magnitude / 127; a row that is not finite gives NaN.
at::Tensor linear(const at::Tensor& x, const QuantisedWeight& weight, const at::Tensor& bias = {});

/// W2 gelu(W1 x + b1) + b2, the tanh form. @param x  float32 [..., I]  @return float32 [..., O].
at::Tensor gelu_mlp(const at::Tensor& x, const QuantisedWeight& w1, const at::Tensor& b1,
                    const QuantisedWeight& w2, const at::Tensor& b2);

/// down (silu(gate x) * up x). @param x  float32 [..., I]  @return float32 [..., O].
at::Tensor swiglu_mlp(const at::Tensor& x, const QuantisedWeight& gate, const QuantisedWeight& up,
                      const QuantisedWeight& down);

}  // namespace vl3::ops
