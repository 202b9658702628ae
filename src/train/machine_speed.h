// How fast this machine multiplies matrices: what the planner's time estimate divides by.
#pragma once

#include <string>

namespace vl3::train {

/// Floating-point operations a second of the best of a few 2048 x 2048 products, within about a second.
/// @param dtype  "float32" or "bfloat16". @param device  "cpu", "cuda", "cuda:N", "auto" (a GPU if there is
/// one).
double measure_flops(const std::string& dtype, const std::string& device);

}  // namespace vl3::train
