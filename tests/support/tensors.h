// The one comparer of tensors: shape, dtype and tolerance, naming the worst element.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace vl3::test {

inline testing::AssertionResult close(const at::Tensor& found, const at::Tensor& wanted, double tolerance) {
  if (found.sizes() != wanted.sizes()) {
    return testing::AssertionFailure() << "shape " << found.sizes() << ", wanted " << wanted.sizes();
  }
  if (found.numel() == 0) return testing::AssertionSuccess();
  const at::Tensor difference = (found.to(at::kDouble) - wanted.to(at::kDouble)).abs().flatten();
  const double worst = difference.max().item<double>();
  if (worst <= tolerance) return testing::AssertionSuccess();
  const int64_t at = difference.argmax().item<int64_t>();
  return testing::AssertionFailure() << "element " << at << " of " << found.sizes() << ": found "
                                     << found.flatten()[at].item<double>() << ", wanted "
                                     << wanted.flatten()[at].item<double>() << ", off by " << worst << " > "
                                     << tolerance;
}

}  // namespace vl3::test
