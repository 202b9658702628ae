#include "ops/packed_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/check.h"

// Letters: S rows of the packed row, B sequences of a batch, L rows each is padded to, H query heads, KV
// key/value heads, G = H / KV, d head dim.

namespace vl3::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// A sequence joins a batch if padding makes its scores at most this much more work.
constexpr double kLengthShare = 0.8;
constexpr int64_t kAlwaysPadded = 16;  // rows

at::Tensor to_tensor(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::TensorOptions(at::kLong)).to(device);
}

// [S, heads, d] -> the padded batches one after the other. The gradient of a padded place is dropped.
struct Pad : Function<Pad> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& rows,
                            const at::Tensor& places) {
    context->save_for_backward({places});
    return at::index_select(x, 0, rows);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    return {at::index_select(grads[0], 0, context->get_saved_variables()[0]), at::Tensor(), at::Tensor()};
  }
};

// The other way; a padded place receives a zero gradient.
struct Unpad : Function<Unpad> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& places) {
    context->save_for_backward({places});
    context->saved_data["rows"] = x.size(0);
    return at::index_select(x, 0, places);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    std::vector<int64_t> sizes = grads[0].sizes().vec();
    sizes[0] = context->saved_data["rows"].toInt();
    at::Tensor grad = at::zeros(sizes, grads[0].options());
    return {grad.index_copy_(0, context->get_saved_variables()[0], grads[0]), at::Tensor()};
  }
};

// @param hidden  broadcast over [B, KV, G, L, L]; undefined: nothing is.
at::Tensor plain_products(const at::Tensor& q_BHLd, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor& hidden, double scale) {
  const int64_t B = q_BHLd.size(0), H = q_BHLd.size(1), L = q_BHLd.size(2), d = q_BHLd.size(3);
  const int64_t KV = k.size(1), G = H / KV;
  at::Tensor scores =
      at::matmul((q_BHLd * scale).reshape({B, KV, G * L, d}), k.transpose(2, 3)).view({B, KV, G, L, L});
  if (hidden.defined()) scores = scores.masked_fill(hidden, -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(scores, -1).view({B, KV, G * L, L}), v).view({B, H, L, d});
}

at::Tensor fused(const at::Tensor& q_BHLd, const at::Tensor& k, const at::Tensor& v, Sees sees,
                 double scale) {
  const int64_t B = q_BHLd.size(0), H = q_BHLd.size(1), KV = k.size(1), L = k.size(2), d = k.size(3);
  const auto all = [&](const at::Tensor& x) {
    return KV == H ? x : x.unsqueeze(2).expand({B, KV, H / KV, L, d}).reshape({B, H, L, d});
  };
  return at::scaled_dot_product_attention(q_BHLd, all(k), all(v), {}, 0.0,
                                          /*is_causal=*/sees == Sees::kBefore, scale);
}

}  // namespace

PackedSequences::PackedSequences(const std::vector<int64_t>& lengths, at::Device device, Sees sees)
    : sees_(sees) {
  std::vector<int64_t> starts, positions;
  for (const int64_t length : lengths) {
    VL3_DCHECK(length > 0);
    starts.push_back(rows_);
    for (int64_t i = 0; i < length; ++i) positions.push_back(i);
    rows_ += length;
  }
  positions_ = to_tensor(positions, device);
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lengths[a] > lengths[b]; });

  std::vector<int64_t> places(static_cast<size_t>(rows_));
  int64_t place = 0;
  for (size_t i = 0; i < order.size();) {
    Batch batch;
    batch.longest = lengths[order[i]];
    std::vector<int64_t> rows;
    const auto fits = [&](int64_t length) {
      if (sees_ == Sees::kAll && batch.longest > kPlainAttentionRows) return length == batch.longest;
      return static_cast<double>(length) >= kLengthShare * static_cast<double>(batch.longest) ||
             batch.longest - length <= kAlwaysPadded;
    };
    for (; i < order.size() && fits(lengths[order[i]]); ++i) {
      const int64_t start = starts[order[i]], length = lengths[order[i]];
      for (int64_t row = 0; row < batch.longest; ++row) {
        rows.push_back(start + std::min(row, length - 1));
        if (row < length) places[static_cast<size_t>(start + row)] = place + row;
      }
      place += batch.longest;
      batch.lengths.push_back(length);
      ++batch.count;
    }
    batch.rows = to_tensor(rows, device);
    if (sees_ == Sees::kAll && batch.lengths.back() < batch.longest) {
      const at::Tensor lengths_B = to_tensor(batch.lengths, device);
      batch.hidden = at::arange(batch.longest, lengths_B.options())
                         .ge(lengths_B.unsqueeze(1))
                         .view({batch.count, 1, 1, 1, batch.longest});
    }
    batches_.push_back(std::move(batch));
  }
  const bool in_order = place == rows_ && std::is_sorted(places.begin(), places.end());
  if (!in_order) places_ = to_tensor(places, device);
}

at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const PackedSequences& sequences, double scale) {
  const int64_t S = q.size(0), H = q.size(1), d = q.size(2);
  VL3_DCHECK(S == sequences.rows() && H % k.size(1) == 0);
  at::Tensor all_rows;
  if (sequences.places().defined()) {
    std::vector<at::Tensor> parts;
    for (const auto& batch : sequences.batches()) parts.push_back(batch.rows);
    all_rows = parts.size() == 1 ? parts[0] : at::cat(parts);
  }
  const auto laid_out = [&](const at::Tensor& x) {
    return all_rows.defined() ? Pad::apply(x, all_rows, sequences.places()) : x;
  };
  const at::Tensor q_all = laid_out(q), k_all = laid_out(k), v_all = laid_out(v);
  std::vector<at::Tensor> outputs;
  int64_t begin = 0;
  for (const auto& batch : sequences.batches()) {
    const int64_t B = batch.count, L = batch.longest;
    const auto own = [&](const at::Tensor& x) {
      return x.narrow(0, begin, B * L).view({B, L, x.size(1), d}).transpose(1, 2);
    };
    const bool plain = batch.hidden.defined() ||
                       (q.is_cpu() && q.scalar_type() == at::kBFloat16 && L <= kPlainAttentionRows);
    const auto hidden = [&] {
      return sequences.sees() == Sees::kAll ? batch.hidden
                                            : at::ones({L, L}, q.options().dtype(at::kBool)).triu(1);
    };
    const at::Tensor y = plain ? plain_products(own(q_all), own(k_all), own(v_all), hidden(), scale)
                               : fused(own(q_all), own(k_all), own(v_all), sequences.sees(), scale);
    outputs.push_back(y.transpose(1, 2).reshape({B * L, H * d}));
    begin += B * L;
  }
  const at::Tensor y = outputs.size() == 1 ? outputs[0] : at::cat(outputs);
  return all_rows.defined() ? Unpad::apply(y, sequences.places()) : y;
}

}  // namespace vl3::ops
