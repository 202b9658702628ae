#include "ops/tiled_cross_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>

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

// Calls body(first word, words, float32 weights of the tile).
template <typename Body>
void each_tile(const at::Tensor& weight_VD, int64_t tile, const Body& body) {
  for (int64_t begin = 0; begin < weight_VD.size(0); begin += tile) {
    const int64_t words = std::min(tile, weight_VD.size(0) - begin);
    body(begin, words, weight_VD.narrow(0, begin, words).to(at::kFloat));
  }
}

template <typename Body>
void each_block(int64_t tokens, const Body& body) {
  for (int64_t begin = 0; begin < tokens; begin += kTileTokens)
    body(begin, std::min(kTileTokens, tokens - begin));
}

// Where the targets lie in the tile: column (0 where outside) and whether inside, both [n, 1].
std::pair<at::Tensor, at::Tensor> place_in_tile(const at::Tensor& targets_n, int64_t begin, int64_t words) {
  const at::Tensor column = (targets_n - begin).unsqueeze(1);
  const at::Tensor inside = column.ge(0).logical_and(column.lt(words));
  return {at::where(inside, column, 0), inside};
}

struct TiledCrossEntropy : Function<TiledCrossEntropy> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden_ND,
                            const at::Tensor& weight_VD, const at::Tensor& targets_N, int64_t tile,
                            const Sink& grad_sum_VD) {
    const int64_t N = hidden_ND.size(0);
    const auto options = hidden_ND.options().dtype(at::kFloat);
    const at::Tensor wide = hidden_ND.to(at::kFloat);
    at::Tensor highest = at::full({N, 1}, -std::numeric_limits<float>::infinity(), options);
    at::Tensor sum = at::zeros({N, 1}, options), chosen = at::zeros({N, 1}, options);
    each_tile(weight_VD, tile, [&](int64_t first, int64_t words, const at::Tensor& weight) {
      each_block(N, [&](int64_t begin, int64_t n) {
        at::Tensor logits = at::mm(wide.narrow(0, begin, n), weight.t());
        at::Tensor high = highest.narrow(0, begin, n), total = sum.narrow(0, begin, n);
        const auto [column, inside] = place_in_tile(targets_N.narrow(0, begin, n), first, words);
        chosen.narrow(0, begin, n).add_(at::where(inside, logits.gather(1, column), 0.0));
        const at::Tensor now = at::maximum(high, logits.amax(1, /*keepdim=*/true));
        total.mul_((high - now).exp_()).add_(logits.sub_(now).exp_().sum(1, /*keepdim=*/true));
        high.copy_(now);
      });
    });
    const at::Tensor lse = highest + sum.log();
    context->save_for_backward({hidden_ND, weight_VD, targets_N, lse});
    context->saved_data["tile"] = tile;
    context->saved_data["sink"] = grad_sum_VD.tensor;
    // In double: the sum over many tokens must not depend on how they are grouped into rows.
    return (lse - chosen).sum(at::kDouble).to(at::kFloat);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &hidden = saved[0], &weight_VD = saved[1], &targets = saved[2], &lse = saved[3];
    at::Tensor sink = context->saved_data["sink"].toTensor();
    const bool to_hidden = context->needs_input_grad(0), to_weight = context->needs_input_grad(1);
    const at::Tensor wide = hidden.to(at::kFloat);
    at::Tensor grad_hidden, grad_weight;
    if (to_hidden) grad_hidden = at::zeros_like(wide);
    if (to_weight && !sink.defined()) grad_weight = at::zeros_like(weight_VD, at::kFloat);
    const at::Tensor target_sum = sink.defined() ? sink : grad_weight;
    const bool narrow = weight_VD.scalar_type() != at::kFloat;
    each_tile(weight_VD, context->saved_data["tile"].toInt(),
              [&](int64_t first, int64_t words, const at::Tensor& weight) {
                each_block(hidden.size(0), [&](int64_t begin, int64_t n) {
                  const at::Tensor x = wide.narrow(0, begin, n);
                  at::Tensor p = at::mm(x, weight.t()).sub_(lse.narrow(0, begin, n)).exp_();
                  const auto [column, inside] = place_in_tile(targets.narrow(0, begin, n), first, words);
                  p.scatter_add_(1, column, inside.to(at::kFloat).neg_());
                  p.mul_(grads[0]);
                  if (narrow) p = p.to(weight_VD.scalar_type());
                  if (to_hidden) {
                    at::Tensor rows = grad_hidden.narrow(0, begin, n);
                    if (narrow) {
                      rows.add_(at::mm(p, weight_VD.narrow(0, first, words)));
                    } else {
                      rows.addmm_(p, weight);
                    }
                  }
                  if (to_weight) {
                    at::Tensor rows = target_sum.narrow(0, first, words);
                    if (narrow) {
                      rows.add_(at::mm(p.t(), hidden.narrow(0, begin, n)));
                    } else {
                      rows.addmm_(p.t(), x);
                    }
                  }
                });
              });
    if (to_hidden) grad_hidden = grad_hidden.to(hidden.scalar_type());
    if (grad_weight.defined()) grad_weight = grad_weight.to(weight_VD.scalar_type());
    return {grad_hidden, grad_weight, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor tiled_cross_entropy(const at::Tensor& hidden_ND, const at::Tensor& weight_VD,
                               const at::Tensor& targets_N, int64_t tile,
                               const at::Tensor& weight_grad_sum_VD) {
  VL3_CHECK(tile > 0, kInvalidArgument, "loss_vocab_tile {}: expected at least 1", tile);
  if (targets_N.size(0) > 0) {
    const auto lowest = targets_N.min().item<int64_t>(), highest = targets_N.max().item<int64_t>();
    VL3_CHECK(lowest >= 0 && highest < weight_VD.size(0), kInvalidArgument,
              "a label is token {}, but the vocabulary has {} rows: is this the model's tokenizer?",
              lowest < 0 ? lowest : highest, weight_VD.size(0));
  }
  return TiledCrossEntropy::apply(hidden_ND, weight_VD, targets_N, tile, Sink{weight_grad_sum_VD});
}

}  // namespace vl3::ops
