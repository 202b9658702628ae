#include "ops/adamw.h"

#include "ops/dot_bf16.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

TEST(AdamW, EqualsTorchsForEveryInstructionSet) {
  for (const std::string& name : instruction_sets()) {
    force_instruction_set(name);
    torch::manual_seed(7);
    for (const int64_t n : {1, 15, 16, 1000, 4099}) {
      const at::Tensor start = torch::randn({n});
      at::Tensor theirs = start.clone().requires_grad_();
      torch::optim::AdamW torchs(
          {theirs}, torch::optim::AdamWOptions(1e-2).betas({0.8, 0.99}).eps(1e-6).weight_decay(0.1));
      at::Tensor ours = start.clone(), m = torch::zeros({n}), v = torch::zeros({n});
      at::Tensor narrow = torch::zeros({n}, at::kBFloat16);
      for (int64_t step = 1; step <= 5; ++step) {
        const at::Tensor gradient = torch::randn({n});
        theirs.mutable_grad() = gradient * 0.5;
        torchs.step();
        adamw({.lr = 1e-2,
               .beta1 = 0.8,
               .beta2 = 0.99,
               .epsilon = 1e-6,
               .weight_decay = 0.1,
               .gradient_scale = 0.5,
               .step = step},
              n, ours.data_ptr<float>(), gradient.data_ptr<float>(), m.data_ptr<float>(), v.data_ptr<float>(),
              reinterpret_cast<uint16_t*>(narrow.data_ptr<at::BFloat16>()));
      }
      EXPECT_TRUE(close(ours, theirs.detach(), 2e-6)) << name << " " << n;
      EXPECT_TRUE(at::equal(narrow, ours.to(at::kBFloat16))) << name << " " << n;
    }
  }
  force_instruction_set("");
}

TEST(SumOfSquares, EqualsTheDoubleSum) {
  torch::manual_seed(8);
  for (const int64_t n : {0, 1, 17, 5000, 100'000}) {
    const at::Tensor x = torch::randn({n});
    EXPECT_NEAR(sum_of_squares(x.data_ptr<float>(), n), x.to(at::kDouble).square().sum().item<double>(),
                1e-6 * static_cast<double>(n + 1));
  }
}

}  // namespace
}  // namespace vl3::ops
