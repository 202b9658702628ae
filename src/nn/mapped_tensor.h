// A tensor of a safetensors file as libtorch sees it.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "weights/safetensors.h"

namespace vl3::nn {

/// @param keep  what holds the mapping; lives as long as the tensor.
/// @return a view of the mapped bytes: not to be written to; perhaps not aligned (TensorView::aligned()).
/// @throws Error(kUnsupported) for a dtype other than F32, BF16, F16 and I64.
at::Tensor mapped_tensor(const weights::TensorView& view, std::shared_ptr<const void> keep);

}  // namespace vl3::nn
