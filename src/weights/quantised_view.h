// A weight of a compressed-tensors checkpoint: whole numbers and scales inside mapped files. No arithmetic
// but unpacking.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/dtype.h"
#include "weights/quantization_config.h"
#include "weights/safetensors.h"

namespace vl3::weights {

/// w[o, i] = values[o, i] * scale[o, i / group].
struct QuantisedView {
  QuantScheme scheme;
  bool packed = false;  ///< values are bits of int32 words, the first in the lowest bits, offset to be >= 0
  std::vector<int64_t> shape;  ///< [O, I]
  TensorView values;           ///< I8 [O, I], or I32 [O, I * bits / 32] where packed
  TensorView scale;            ///< F32, BF16 or F16 [O, 1] or [O, I / group]

  int64_t scales_a_row() const { return scheme.group > 0 ? shape[1] / scheme.group : 1; }
  uint64_t size_bytes() const { return values.size_bytes + scale.size_bytes; }
};

/// Rows [begin, end) of the values. @param out  [(end - begin) * I]
void read_values(const QuantisedView& view, int64_t begin, int64_t end, int8_t* out);
/// The same of the scales. @param out  [(end - begin) * scales_a_row()]
/// @throws Error(kCorrupt) for a scale that is not finite.
void read_scales(const QuantisedView& view, int64_t begin, int64_t end, float* out);
/// The same as numbers. @param out  [(end - begin) * I]
void read_dequantised(const QuantisedView& view, int64_t begin, int64_t end, float* out);

/// `values` [O, I] of -8..7 as words of 32 bits [O, I / 8]; I is a multiple of 8.
std::vector<int32_t> pack_int4(std::span<const int8_t> values);

/// Puts a checkpoint's tensors together: NAME.weight (I8) or NAME.weight_packed with NAME.weight_scale, and
/// NAME.weight_shape beside the packed one.
class QuantisedParts {
 public:
  /// @param name  canonical. @return whether the tensor is such a part; then it is kept.
  bool take(const std::string& name, const TensorView& view);
  /// Whether anything of the weight was taken. @param weight  "NAME.weight".
  bool has(const std::string& weight) const { return parts_.contains(weight); }
  /// @param shape  [O, I] that the model expects.
  /// @throws Error(kCorrupt), Error(kUnsupported) without the weight's name, which the caller knows.
  QuantisedView assemble(const std::string& weight, const std::vector<int64_t>& shape) const;
  /// Weights of which something was taken.
  std::vector<std::string> weights() const;

 private:
  std::map<std::string, std::map<std::string_view, TensorView>> parts_;  // weight -> suffix -> tensor
};

}  // namespace vl3::weights
