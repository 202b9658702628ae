#include "ops/norm.h"

#include "support/tensors.h"

namespace vl3::ops {
namespace {

TEST(RmsNorm, DividesByTheRootMeanSquare) {
  const at::Tensor x = torch::tensor({{3.0f, 4.0f}, {0.0f, 0.0f}}), weight = torch::tensor({2.0f, 1.0f});
  const double root = std::sqrt(12.5);
  EXPECT_TRUE(test::close(rms_norm(x, weight, 0.0).slice(0, 0, 1),
                          torch::tensor({{static_cast<float>(6 / root), static_cast<float>(4 / root)}}),
                          1e-6));
  EXPECT_TRUE(test::close(rms_norm(x, weight, 1e-6).slice(0, 1, 2), torch::zeros({1, 2}), 0.0));
}

TEST(LayerNorm, TakesBfloat16ParametersForFloat32Values) {
  const at::Tensor x = torch::tensor({{1.0f, 3.0f}});
  const at::Tensor weight = torch::ones({2}, at::kBFloat16), bias = torch::full({2}, 0.5, at::kBFloat16);
  EXPECT_TRUE(test::close(layer_norm(x, weight, bias, 0.0), torch::tensor({{-0.5f, 1.5f}}), 1e-6));
}

}  // namespace
}  // namespace vl3::ops
