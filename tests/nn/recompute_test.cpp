#include "nn/recompute.h"

#include "nn/modules.h"
#include "nn/random_source.h"
#include "support/tensors.h"

namespace vl3::nn {
namespace {

TEST(Recomputed, GivesTheSameResultAndGradients) {
  torch::manual_seed(9);
  test::RandomSource source;
  const Scope scope(source, "");
  Linear fc1(scope / "fc1", 6, 8, true), fc2(scope / "fc2", 8, 6, true);
  for (const at::Tensor& parameter : {fc1->weight, fc1->bias, fc2->weight, fc2->bias})
    parameter.set_requires_grad(true);
  int calls = 0;
  const auto layer = [&](const at::Tensor& x) {
    ++calls;
    return gelu_mlp(x, *fc1, *fc2);
  };
  // What `layer` trains is found through a module that holds it.
  torch::nn::Module whole;
  whole.register_module("fc1", fc1.ptr());
  whole.register_module("fc2", fc2.ptr());
  for (const bool input_trains : {true, false}) {
    const at::Tensor x = at::randn({5, 6}).set_requires_grad(input_trains);
    std::vector<at::Tensor> wanted_of = {fc1->weight, fc2->bias};
    if (input_trains) wanted_of.push_back(x);
    const at::Tensor plain = layer(x);
    const auto wanted = torch::autograd::grad({plain.square().sum()}, wanted_of);
    for (const at::Tensor& t : wanted_of) t.mutable_grad() = at::Tensor();
    calls = 0;
    const at::Tensor again = recomputed(whole, layer, x);
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(test::close(again, plain, 1e-4));
    again.square().sum().backward();
    EXPECT_EQ(calls, 2) << "backward makes the activations again";
    for (size_t i = 0; i < wanted_of.size(); ++i)
      EXPECT_LT((wanted_of[i].grad() - wanted[i]).norm().item<double>(),
                1e-5 * wanted[i].norm().item<double>())
          << i << ", input trains: " << input_trains;
  }
}

TEST(Recomputed, IsAPlainCallWithoutGradients) {
  const torch::NoGradGuard off;
  torch::nn::Module none;
  int calls = 0;
  const at::Tensor x = at::randn({3});
  const at::Tensor y = recomputed(
      none,
      [&](const at::Tensor& input) {
        ++calls;
        EXPECT_TRUE(input.is_same(x)) << "no copy";
        return input + 1;
      },
      x);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(y.equal(x + 1));
}

}  // namespace
}  // namespace vl3::nn
