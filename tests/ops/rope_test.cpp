#include "ops/rope.h"

#include "support/tensors.h"

namespace vl3::ops {
namespace {

TEST(Rope, TurnsPairsByTheirAngleAndKeepsLength) {
  const RopeTable table = rope_1d(torch::tensor({0, 5}), 4, 100.0);
  const at::Tensor x = torch::tensor({1.0f, 2.0f, 3.0f, 4.0f}).expand({2, 1, 4});
  const at::Tensor y = apply_rope(x, table);
  EXPECT_TRUE(test::close(y[0], x[0], 0.0));
  const double a = 5.0, b = 5.0 / 10.0;  // theta^(-2k/4): 1 and 1/10
  const at::Tensor wanted = torch::tensor({std::cos(a) - 3 * std::sin(a), 2 * std::cos(b) - 4 * std::sin(b),
                                           3 * std::cos(a) + std::sin(a), 4 * std::cos(b) + 2 * std::sin(b)});
  EXPECT_TRUE(test::close(y[1][0], wanted, 1e-5));
}

TEST(Rope2d, ListsBlocksOfMergedPatchesAndDependsOnlyOnPosition) {
  const RopeTable plain = rope_2d(4, 6, 1, 8, 10000.0, at::kCPU),
                  merged = rope_2d(4, 6, 2, 8, 10000.0, at::kCPU);
  // The third row of the 2x2 order is the patch at (1, 0), the fifth the one at (0, 2).
  EXPECT_TRUE(test::close(merged.cos[2], plain.cos[6], 0.0));
  EXPECT_TRUE(test::close(merged.sin[4], plain.sin[2], 0.0));
  EXPECT_EQ(plain.cos.size(1), 4);
}

TEST(Rope, GradientPathEqualsTheInPlaceOne) {
  torch::manual_seed(5);
  const at::Tensor x = torch::randn({3, 2, 8});
  const RopeTable table = rope_1d(torch::arange(3), 8, 1e4);
  EXPECT_TRUE(test::close(apply_rope(x.clone().requires_grad_(), table), apply_rope(x, table), 1e-6));
}

TEST(Rope, TurnsInPlaceWithoutGradientsOnly) {
  torch::manual_seed(5);
  const at::Tensor x = torch::randn({3, 2, 8}).requires_grad_();
  const RopeTable table = rope_1d(torch::arange(3), 8, 1e4);
  const at::Tensor recorded = apply_rope_in_place(x, table);
  EXPECT_NE(recorded.data_ptr(), x.data_ptr());
  EXPECT_TRUE(recorded.requires_grad());
  const torch::NoGradGuard no_grad;
  const at::Tensor given = x.detach().clone(), turned = apply_rope_in_place(given, table);
  EXPECT_EQ(turned.data_ptr(), given.data_ptr());
  EXPECT_TRUE(test::close(turned, recorded, 0.0));
}

}  // namespace
}  // namespace vl3::ops
