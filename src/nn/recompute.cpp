#include "nn/recompute.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace vl3::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct Layer : torch::CustomClassHolder {
  std::function<at::Tensor(const at::Tensor&)> call;
};

struct Recompute : Function<Recompute> {
  // `anchor` requires a gradient, so that backward comes here even where x needs none (frozen embeddings).
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& /*anchor*/,
                            const c10::intrusive_ptr<Layer>& layer) {
    context->save_for_backward({x});
    context->saved_data["layer"] = c10::IValue::make_capsule(layer);
    // A copy: without gradients a layer adds to its input in place (nn::residual), and x is needed again.
    return layer->call(x.clone());
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto layer = c10::static_intrusive_pointer_cast<Layer>(context->saved_data["layer"].toCapsule());
    const bool to_x = context->needs_input_grad(0);
    at::Tensor x = context->get_saved_variables()[0].detach().set_requires_grad(to_x);
    {
      const c10::AutoGradMode recording(true);
      const at::Tensor y = layer->call(x);
      torch::autograd::backward({y}, {grads[0]});
    }
    return {to_x ? x.grad() : at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

bool trains(const torch::nn::Module& module) {
  for (const at::Tensor& parameter : module.parameters()) {
    if (parameter.requires_grad()) return true;
  }
  return false;
}

}  // namespace

at::Tensor recomputed(const torch::nn::Module& module, std::function<at::Tensor(const at::Tensor&)> layer,
                      const at::Tensor& x) {
  if (!c10::GradMode::is_enabled() || !(x.requires_grad() || trains(module))) return layer(x);
  auto held = c10::make_intrusive<Layer>();
  held->call = std::move(layer);
  const at::Tensor anchor = at::zeros({}, x.options()).set_requires_grad(true);
  return Recompute::apply(x, anchor, held);
}

}  // namespace vl3::nn
