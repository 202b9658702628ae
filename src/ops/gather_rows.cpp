#include "ops/gather_rows.h"

#include <ATen/ops/embedding_dense_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/check.h"

namespace vl3::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Where a gradient is added, as an argument that autograd does not look into; may be undefined.
struct Sink {
  at::Tensor tensor;
};

struct TakeRows : Function<TakeRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& index) {
    context->saved_data["sizes"] = x.sizes().vec();
    context->save_for_backward({index});
    return at::index_select(x, 0, index);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const at::Tensor index = context->get_saved_variables()[0];
    at::Tensor grad = at::zeros(context->saved_data["sizes"].toIntVector(), grads[0].options());
    grad.index_copy_(0, index, grads[0]);
    return {grad, at::Tensor()};
  }
};

struct PutRows : Function<PutRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& index,
                            const at::Tensor& rows) {
    context->save_for_backward({index});
    return x.index_copy(0, index, rows);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const at::Tensor index = context->get_saved_variables()[0];
    at::Tensor to_x, to_rows;
    if (context->needs_input_grad(2)) to_rows = at::index_select(grads[0], 0, index);
    if (context->needs_input_grad(0)) to_x = grads[0].index_fill(0, index, 0);
    return {to_x, at::Tensor(), to_rows};
  }
};

// Sequential, so that the sum does not depend on the number of threads.
void add_rows(at::Tensor& table_VD, const at::Tensor& ids, const at::Tensor& rows) {
  if (!table_VD.is_cpu()) {
    table_VD.index_add_(0, ids, rows.to(at::kFloat));
    return;
  }
  const int64_t D = table_VD.size(1);
  const at::Tensor wide = rows.to(at::kFloat).contiguous();
  const auto* id = ids.const_data_ptr<int64_t>();
  const float* from = wide.const_data_ptr<float>();
  float* table = table_VD.data_ptr<float>();
  for (int64_t row = 0; row < ids.size(0); ++row, from += D) {
    float* to = table + id[row] * D;
    for (int64_t i = 0; i < D; ++i) to[i] += from[i];
  }
}

struct EmbedRows : Function<EmbedRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weight, const at::Tensor& ids,
                            const Sink& grad_sum) {
    context->save_for_backward({ids});
    context->saved_data["vocab"] = weight.size(0);
    context->saved_data["sink"] = grad_sum.tensor;
    return at::index_select(weight, 0, ids);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const at::Tensor ids = context->get_saved_variables()[0];
    if (at::Tensor sink = context->saved_data["sink"].toTensor(); sink.defined()) {
      add_rows(sink, ids, grads[0]);
      return {at::Tensor(), at::Tensor(), at::Tensor()};
    }
    return {at::embedding_dense_backward(grads[0], ids, context->saved_data["vocab"].toInt(), -1, false),
            at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor take_rows(const at::Tensor& x, const at::Tensor& index) { return TakeRows::apply(x, index); }

at::Tensor put_rows(const at::Tensor& x, const at::Tensor& index, const at::Tensor& rows) {
  VL3_DCHECK(index.size(0) == rows.size(0));
  return PutRows::apply(x, index, rows);
}

at::Tensor embed_rows(const at::Tensor& weight_VD, const at::Tensor& ids, const at::Tensor& grad_sum_VD) {
  return EmbedRows::apply(weight_VD, ids, Sink{grad_sum_VD});
}

}  // namespace vl3::ops
