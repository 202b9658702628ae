#include "projector/projector.h"

#include "nn/random_source.h"
#include "support/tensors.h"

namespace vl3::projector {
namespace {

// mlp2x_gelu: two linears with an exact (not tanh) GELU between them, under readout.0 and readout.2.
TEST(Projector, IsLinearsWithGelusBetween) {
  torch::manual_seed(2);
  weights::ModelConfig config;
  config.vision.hidden_size = 6;
  config.text.hidden_size = 10;
  config.mm_projector_type = "mlp2x_gelu";
  test::RandomSource source;
  Projector projector(nn::Scope(source, "model.projector"), config);
  const at::Tensor x = at::randn({7, 6});
  const auto given = [&](const std::string& name) {
    return source.given.at("model.projector.readout." + name);
  };
  const at::Tensor hidden = torch::gelu(torch::linear(x, given("0.weight"), given("0.bias")));
  EXPECT_TRUE(
      test::close(projector->forward(x), torch::linear(hidden, given("2.weight"), given("2.bias")), 1e-4));
  EXPECT_EQ(source.given.size(), 4u);
}

}  // namespace
}  // namespace vl3::projector
