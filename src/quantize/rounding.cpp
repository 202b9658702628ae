#include "quantize/rounding.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include "core/check.h"

namespace vl3::quantize {
namespace {

constexpr int64_t kElementsAtOnce = 1 << 19;  // a few temporaries of a piece stay in the cache
constexpr int64_t kBlock = 128;               // of GPTQ: columns whose errors are spread together
constexpr double kDamping = 0.01;             // of the mean diagonal
constexpr int kDampingTries = 4;              // each ten times the last

struct Range {
  double low, high;
  double plain;  // what the greatest magnitude becomes
};

// The 4-bit range ends at -8 and 7: as compressed-tensors has it, the greatest magnitude lies between.
Range range_of(const weights::QuantScheme& scheme) {
  return scheme.bits == 8 ? Range{-127, 127, 127} : Range{-8, 7, 7.5};
}

std::vector<double> shares_of(const weights::QuantScheme& scheme) {
  std::vector<double> shares;
  const double least = scheme.bits == 8 ? 0.8 : 0.5, step = scheme.bits == 8 ? 0.025 : 0.05;
  for (double share = scheme.bits == 8 ? 1.0 : 1.1; share > least - step / 2; share -= step)
    shares.push_back(share);
  return shares;
}

int64_t group_of(const weights::QuantScheme& scheme, int64_t in) {
  return scheme.group > 0 ? scheme.group : in;
}

// [..., g] -> [..., 1], numbers of the dtype; 1 where all weights are 0.
at::Tensor plain_scale(const at::Tensor& groups, const Range& range, at::ScalarType dtype) {
  const at::Tensor scale = (groups.abs().amax(-1, /*keepdim=*/true) / range.plain).to(dtype).to(at::kFloat);
  return at::where(scale > 0, scale, at::ones({}, scale.options()));
}

at::Tensor whole(const at::Tensor& groups, const at::Tensor& scale, const Range& range) {
  return (groups / scale).round_().clamp_(range.low, range.high);
}

// [R, G, g] -> [R, G, 1]. @param importance  [G, g] or undefined.
at::Tensor clipped_scale(const at::Tensor& groups, const weights::QuantScheme& scheme, at::ScalarType dtype,
                         const at::Tensor& importance) {
  const Range range = range_of(scheme);
  const at::Tensor plain = plain_scale(groups, range, dtype);
  at::Tensor best, least;
  for (const double share : shares_of(scheme)) {
    const at::Tensor scale = (plain * share).to(dtype).to(at::kFloat);
    at::Tensor error = whole(groups, scale, range).mul_(scale).sub_(groups).square_();
    if (importance.defined()) error.mul_(importance);
    error = error.sum(-1, /*keepdim=*/true);
    if (!best.defined()) {
      best = scale;
      least = error;
      continue;
    }
    const at::Tensor better = error < least;
    best = at::where(better, scale, best);
    least = at::where(better, error, least);
  }
  return best;
}

// Rows piece by piece: scale_of([R, G, g]) -> [R, G, 1].
template <typename ScaleOf>
Rounded by_rows(const at::Tensor& weight, const weights::QuantScheme& scheme, const ScaleOf& scale_of) {
  const int64_t O = weight.size(0), I = weight.size(1), g = group_of(scheme, I), G = I / g;
  VL3_DCHECK(weight.scalar_type() == at::kFloat && I % g == 0);
  Rounded out{at::empty({O, I}, at::kChar), at::empty({O, G}, at::kFloat)};
  const int64_t rows = std::max<int64_t>(1, kElementsAtOnce / I);
  for (int64_t row = 0; row < O; row += rows) {
    const int64_t n = std::min(rows, O - row);
    const at::Tensor groups = weight.narrow(0, row, n).reshape({n, G, g});
    const at::Tensor scale = scale_of(groups);
    out.values.narrow(0, row, n).copy_(whole(groups, scale, range_of(scheme)).view({n, I}));
    out.scale.narrow(0, row, n).copy_(scale.view({n, G}));
  }
  return out;
}

// Upper Cholesky factor of the inverse of the damped matrix.
std::optional<at::Tensor> factor(const at::Tensor& second_moment) {
  at::Tensor damped = second_moment.clone();
  at::Tensor diagonal = damped.diagonal();
  const at::Tensor mean = diagonal.mean();
  if (!(mean.item<double>() > 0)) return std::nullopt;
  double damping = kDamping;
  for (int i = 0; i < kDampingTries; ++i, damping *= 10) {
    diagonal.add_(mean, damping);
    try {
      const at::Tensor inverse = at::cholesky_inverse(at::linalg_cholesky(damped));
      at::Tensor upper = at::linalg_cholesky(inverse, /*upper=*/true).contiguous();
      if (upper.isfinite().all().item<bool>()) return upper;
    } catch (const c10::Error&) {  // not positive definite in float32
    }
  }
  return std::nullopt;
}

}  // namespace

at::Tensor Rounded::dequantised() const {
  const int64_t O = values.size(0), I = values.size(1), G = scale.size(1);
  return (values.view({O, G, I / G}).to(at::kFloat) * scale.unsqueeze(2)).view({O, I});
}

Rounded round_nearest(const at::Tensor& weight, const weights::QuantScheme& scheme,
                      at::ScalarType scale_dtype) {
  return by_rows(weight, scheme, [&](const at::Tensor& groups) {
    return plain_scale(groups, range_of(scheme), scale_dtype);
  });
}

Rounded round_clipped(const at::Tensor& weight, const weights::QuantScheme& scheme,
                      at::ScalarType scale_dtype, const at::Tensor& importance) {
  const int64_t I = weight.size(1), g = group_of(scheme, I);
  const at::Tensor by_group = importance.defined() ? importance.view({I / g, g}) : importance;
  return by_rows(weight, scheme, [&](const at::Tensor& groups) {
    return clipped_scale(groups, scheme, scale_dtype, by_group);
  });
}

std::optional<Rounded> round_gptq(const at::Tensor& weight, const weights::QuantScheme& scheme,
                                  at::ScalarType scale_dtype, const at::Tensor& second_moment) {
  const int64_t O = weight.size(0), I = weight.size(1), g = group_of(scheme, I);
  VL3_DCHECK(kBlock % g == 0 && second_moment.size(0) == I);
  const std::optional<at::Tensor> upper = factor(second_moment);
  if (!upper) return std::nullopt;
  const Range range = range_of(scheme);
  const at::Tensor importance = second_moment.diagonal();
  at::Tensor left = weight.t().contiguous();  // [I, O]: a column of the weight is a row here
  at::Tensor values = at::empty({I, O}, at::kChar), scales = at::empty({I / g, O}, at::kFloat);
  for (int64_t begin = 0; begin < I; begin += kBlock) {
    const int64_t n = std::min(kBlock, I - begin), rest = I - begin - n;
    const at::Tensor block = left.narrow(0, begin, n), own = upper->narrow(0, begin, n);
    at::Tensor errors = at::empty({n, O}, block.options()), scale;
    for (int64_t i = 0; i < n; ++i) {
      if ((begin + i) % g == 0) {
        const at::Tensor group = block.narrow(0, i, g).t().reshape({O, 1, g});
        scale = clipped_scale(group, scheme, scale_dtype, importance.narrow(0, begin + i, g).view({1, g}))
                    .view({O});
        scales.select(0, (begin + i) / g).copy_(scale);
      }
      const at::Tensor column = block.select(0, i), value = whole(column, scale, range);
      values.select(0, begin + i).copy_(value);
      at::Tensor error = errors.select(0, i);
      error.copy_((column - value * scale) / own[i][begin + i]);
      if (i + 1 < n) {
        const at::Tensor weights_of_rest = own[i].narrow(0, begin + i + 1, n - i - 1);
        block.narrow(0, i + 1, n - i - 1).addr_(weights_of_rest, error, 1, -1);
      }
    }
    if (rest > 0) left.narrow(0, begin + n, rest).addmm_(own.narrow(1, begin + n, rest).t(), errors, 1, -1);
  }
  return Rounded{values.t().contiguous(), scales.t().contiguous()};
}

}  // namespace vl3::quantize
