// A linear's weight in 8 or 4 bits and its products. Inputs are rounded to 8 bits as well, each row by its
// own greatest value, so that sums are of whole numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>

namespace vl3::ops {

/// A linear's weight in 8 or 4 bits, packed once for this CPU's kernels. Copies share the numbers; immutable.
class QuantisedWeight {
 public:
  /// @param values  int8 [O, I], -127..127.  @param scale  float32 [O].
  static QuantisedWeight int8(const at::Tensor& values, const at::Tensor& scale);
  /// @param values  int8 [O, I], -8..7.  @param scale  float32 [O, I / group].
  static QuantisedWeight int4(const at::Tensor& values, const at::Tensor& scale);

  int64_t out_features() const { return values_.size(0); }
  int64_t in_features() const { return values_.size(1); }
  int bits() const { return bits_; }
  int64_t group() const { return in_features() / scale_.size(1); }  ///< inputs that share a scale
  size_t bytes() const { return values_.nbytes() + scale_.nbytes(); }

  at::Tensor dequantised() const;                ///< float32 [O, I]
  at::Tensor rows(const at::Tensor& ids) const;  ///< ids int64 [n]; float32 [n, I]: the embedding look-up

 private:
  friend at::Tensor linear(const at::Tensor& x, const QuantisedWeight& weight, const at::Tensor& bias);
  QuantisedWeight(const at::Tensor& values, const at::Tensor& scale, int bits);

  at::Tensor values_;  // int8 [O, I]
  at::Tensor scale_;   // float32 [O, I / group]
  int bits_;
};

/// y = x W^T + b.
/// @param x  float32 [..., I] on the CPU.  @param bias  float32 [O] or undefined.
/// @return float32 [..., O]. Each row of x is rounded to whole numbers of -127..127 times its greatest
///   magnitude / 127.
at::Tensor linear(const at::Tensor& x, const QuantisedWeight& weight, const at::Tensor& bias = {});

/// W2 gelu(W1 x + b1) + b2, the tanh form. @param x  float32 [..., I]  @return float32 [..., O].
at::Tensor gelu_mlp(const at::Tensor& x, const QuantisedWeight& w1, const at::Tensor& b1,
                    const QuantisedWeight& w2, const at::Tensor& b2);

/// down (silu(gate x) * up x). @param x  float32 [..., I]  @return float32 [..., O].
at::Tensor swiglu_mlp(const at::Tensor& x, const QuantisedWeight& gate, const QuantisedWeight& up,
                      const QuantisedWeight& down);

}  // namespace vl3::ops
