// One AdamW step over long arrays: a fused pass instead of a dozen. Torch-free; written with Highway.
#pragma once

#include <cstdint>

namespace vl3::ops {

struct AdamWStep {
  double lr = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;    ///< decoupled: weights shrink by lr * weight_decay first
  double gradient_scale = 1;  ///< multiplies every gradient (division by the token count, clipping)
  int64_t step = 1;           ///< of this update, from 1: bias correction
};

/// Updates n weights and their moments in place. Source: Loshchilov and Hutter 2019; torch.optim.AdamW's
/// order of operations.
/// @param weights_bf16  null, or n bfloat16 bit patterns that receive the rounded new weights.
void adamw(const AdamWStep& step, int64_t n, float* weights, const float* gradient, float* exp_avg,
           float* exp_avg_sq, uint16_t* weights_bf16);

/// Sum of squares, in double across lanes of 4096.
double sum_of_squares(const float* values, int64_t n);

}  // namespace vl3::ops
