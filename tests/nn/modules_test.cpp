#include "nn/modules.h"

#include "nn/random_source.h"
#include "support/tensors.h"

namespace vl3::nn {
namespace {

using test::close;

class ModulesTest : public testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(8); }
  const at::Tensor& given(const std::string& name) const { return source_.given.at(name); }

  test::RandomSource source_;
  Scope scope_{source_, ""};
};

TEST_F(ModulesTest, TakeTheirParametersByTheirKeys) {
  Linear linear(scope_ / "fc", 3, 5, true);
  EXPECT_TRUE(linear->weight.is_same(given("fc.weight")));
  EXPECT_EQ(linear->weight.sizes(), at::IntArrayRef({5, 3}));
  EXPECT_EQ(given("fc.bias").sizes(), at::IntArrayRef({5}));
}

TEST_F(ModulesTest, LinearAddsItsAdapter) {
  Linear linear(scope_ / "fc", 6, 4, true);
  const at::Tensor x = at::randn({7, 6});
  const at::Tensor plain = torch::linear(x, given("fc.weight"), given("fc.bias"));
  EXPECT_TRUE(close(linear->forward(x), plain, 1e-5));
  linear->adapter = {.a = at::randn({2, 6}), .b = at::randn({4, 2}), .scale = 0.5};
  const at::Tensor added = 0.5 * x.matmul(linear->adapter.a.t()).matmul(linear->adapter.b.t());
  EXPECT_TRUE(close(linear->forward(x), plain + added, 1e-4));
}

TEST_F(ModulesTest, MlpsEqualTheirParts) {
  Linear fc1(scope_ / "fc1", 6, 8, true), fc2(scope_ / "fc2", 8, 6, true);
  Linear gate(scope_ / "gate", 6, 8, false), up(scope_ / "up", 6, 8, false),
      down(scope_ / "down", 8, 6, false);
  const at::Tensor x = at::randn({5, 6});
  const at::Tensor gelu = torch::gelu(fc1->forward(x), "tanh");
  EXPECT_TRUE(close(gelu_mlp(x, *fc1, *fc2), fc2->forward(gelu), 1e-4));
  const at::Tensor swiglu = torch::silu(gate->forward(x)) * up->forward(x);
  EXPECT_TRUE(close(swiglu_mlp(x, *gate, *up, *down), down->forward(swiglu), 1e-4));
}

// Kinds that the joined kernel doesn't take, as a folder of mixed precision may have them.
TEST_F(ModulesTest, GateAndUpMayHaveDifferentBits) {
  const torch::NoGradGuard no_grad;
  Linear gate(scope_ / "gate", 64, 96, false), up(scope_ / "up", 64, 96, false),
      down(scope_ / "down", 96, 64, false);
  const auto eight = [](int64_t O, int64_t I) {
    return ops::QuantisedWeight::int8(at::randint(-127, 128, {O, I}, at::kChar), at::rand({O}) / 500);
  };
  const auto packed = [](const ops::QuantisedWeight& weight) {
    return std::make_shared<const PackedWeight>(weight.bytes(), at::kBFloat16, [weight] { return weight; });
  };
  gate->packed = packed(eight(96, 64));
  up->packed =
      packed(ops::QuantisedWeight::int4(at::randint(-8, 8, {96, 64}, at::kChar), at::rand({96, 2}) / 30));
  down->packed = packed(eight(64, 96));
  const at::Tensor x = at::randn({5, 64});
  const at::Tensor hidden = torch::silu(gate->forward(x)) * up->forward(x);
  EXPECT_TRUE(close(swiglu_mlp(x, *gate, *up, *down), down->forward(hidden), 1e-4));
}

TEST_F(ModulesTest, NormsEqualTheirFormulas) {
  LayerNorm layer(scope_ / "layer", 16, 1e-6);
  RmsNorm rms(scope_ / "rms", 16, 1e-6);
  const at::Tensor x = at::randn({2, 5, 16}) * 3 + 1;
  EXPECT_TRUE(close(layer->forward(x),
                    torch::layer_norm(x, {16}, given("layer.weight"), given("layer.bias"), 1e-6), 1e-5));
  EXPECT_TRUE(
      close(rms->forward(x), x * torch::rsqrt(x.square().mean(-1, true) + 1e-6) * given("rms.weight"), 1e-5));
}

}  // namespace
}  // namespace vl3::nn
