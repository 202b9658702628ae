// Ways to round a matrix to whole numbers with scales. Symmetric: w is about value * scale.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "weights/quantization_config.h"

namespace vl3::quantize {

// Letters: O outputs, I inputs, G scales a row (1, or I / group).

struct Rounded {
  at::Tensor values;               ///< int8 [O, I]: -127..127 or -8..7
  at::Tensor scale;                ///< float32 [O, G], numbers of the dtype they are stored in
  at::Tensor dequantised() const;  ///< float32 [O, I]
};

/// Scales from the greatest magnitude, values to the nearest.
/// @param weight  float32 [O, I].  @param scale_dtype  float32, bfloat16 or float16.
Rounded round_nearest(const at::Tensor& weight, const weights::QuantScheme& scheme,
                      at::ScalarType scale_dtype);

/// The scales that keep sum_i importance[i] * (w - value * scale)^2 least among some that clip the greatest
/// weights. @param importance  float32 [I], the mean square of each input; undefined: all alike.
Rounded round_clipped(const at::Tensor& weight, const weights::QuantScheme& scheme,
                      at::ScalarType scale_dtype, const at::Tensor& importance);

/// Column after column; what a column's rounding does to the outputs is made up for by the columns after it.
/// Scales as round_clipped() of what is left. Source: Frantar et al., "GPTQ" (arXiv 2210.17323), algorithm 1.
/// @param second_moment  float32 [I, I], mean of x x^T.
/// @return nullopt where the matrix cannot be factored even with strong damping.
std::optional<Rounded> round_gptq(const at::Tensor& weight, const weights::QuantScheme& scheme,
                                  at::ScalarType scale_dtype, const at::Tensor& second_moment);

}  // namespace vl3::quantize
