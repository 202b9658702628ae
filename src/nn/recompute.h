// Activation checkpointing: a layer's inner activations are dropped after forward and made again in backward.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <functional>

namespace vl3::nn {

/// layer(x), of whose activations only x is kept for backward. `layer` must give the same result when called
/// again and must not hold random state. Without gradients to record, or with neither x nor a parameter of
/// `module` in need of one, it is a plain call.
/// @param module  whose parameters `layer` uses.
at::Tensor recomputed(const torch::nn::Module& module, std::function<at::Tensor(const at::Tensor&)> layer,
                      const at::Tensor& x);

}  // namespace vl3::nn
