// Moving rows between packed and padded layouts, and looking them up in a table, with gradients that cost one
// pass.
#pragma once

#include <ATen/core/Tensor.h>

namespace vl3::ops {

/// Rows `index` of x, where no row is named twice. libtorch's own index_select sums its gradient row by row,
/// which took longer than the attention it served; with unique rows the gradient is a plain copy.
/// @param x [S, ...]  @param index  int64 [n], unique, on x's device.  @return [n, ...]. Differentiable in x.
at::Tensor take_rows(const at::Tensor& x, const at::Tensor& index);

/// x with its rows `index` replaced by `rows`.
/// @param x [S, D]  @param index  int64 [n], unique.  @param rows [n, D] of x's dtype.
/// @return [S, D]. Differentiable in x and rows.
at::Tensor put_rows(const at::Tensor& x, const at::Tensor& index, const at::Tensor& rows);

/// Looks rows up in an embedding table. The gradient goes straight into `grad_sum`, so no second [V, D]
/// exists.
/// @param weight_VD  the table.  @param ids  int64 [S].
/// @param grad_sum_VD  float32, on the weight's device: the gradient is added to it during backward.
/// Undefined: the gradient is returned to autograd (dense, of the weight's dtype).
/// @return [S, D] of the weight's dtype.
at::Tensor embed_rows(const at::Tensor& weight_VD, const at::Tensor& ids, const at::Tensor& grad_sum_VD = {});

}  // namespace vl3::ops
