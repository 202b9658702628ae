#include <cmath>
#include <limits>

#include "ops/quantised_weight.h"
#include "support/tensors.h"
#include "vl3/error.h"

namespace vl3::ops {
namespace {

using test::close;

struct Rounded {
  QuantisedWeight weight;
  at::Tensor wide;  // float64 [O, I]: what `weight` stands for
};

// A weight of normal numbers with rows of unit length, rounded to nearest.
Rounded random_weight(int64_t O, int64_t I, int bits, int64_t group) {
  const at::Tensor w = torch::randn({O, I / group, group}) / std::sqrt(static_cast<double>(I));
  const at::Tensor scale = w.abs().amax(2) / (bits == 8 ? 127 : 7);
  const at::Tensor values = (w / scale.unsqueeze(2)).round().to(at::kChar).view({O, I});
  const at::Tensor wide =
      (values.to(at::kDouble).view({O, I / group, group}) * scale.to(at::kDouble).unsqueeze(2));
  return {bits == 8 ? QuantisedWeight::int8(values, scale.flatten()) : QuantisedWeight::int4(values, scale),
          wide.view({O, I})};
}

// Rows as the kernels round them.
at::Tensor rounded(const at::Tensor& x) {
  const at::Tensor step = x.abs().amax(-1, true) / 127.0;
  return (x / step).round() * step;
}

TEST(QuantisedLinear, IsTheProductOfRoundedRows) {
  torch::manual_seed(6);
  for (const auto& [bits, group, I] : std::vector<std::tuple<int, int64_t, int64_t>>{
           {8, 70, 70}, {8, 1152, 1152}, {4, 32, 96}, {4, 128, 1536}}) {
    const Rounded w = random_weight(70, I, bits, group);
    const at::Tensor bias = torch::randn({70});
    for (const int64_t M : {1, 5, 8, 33}) {
      const at::Tensor x = torch::randn({M, I}) * torch::exp(torch::randn({M, 1}));
      const at::Tensor found = linear(x, w.weight, bias);
      const at::Tensor wanted = at::linear(rounded(x.to(at::kDouble)), w.wide, bias.to(at::kDouble));
      // A number at a tie may be rounded to the other side: a step times a weight.
      EXPECT_TRUE(close(found, wanted, 0.02)) << bits << " bits, I=" << I << " M=" << M;
      const at::Tensor whole = at::linear(x.to(at::kDouble), w.wide, bias.to(at::kDouble));
      // Rounding adds noise of step / sqrt(12) a number.
      const at::Tensor step = x.abs().amax(-1).to(at::kDouble) / 127.0;
      const at::Tensor noise = (found - whole).square().mean(-1).sqrt() / (step / std::sqrt(12.0));
      EXPECT_LT(noise.max().item<double>(), 1.6);
    }
  }
}

TEST(QuantisedLinear, ClosesTheMlpsOfTheModels) {
  torch::manual_seed(7);
  for (const int bits : {8, 4}) {
    const int64_t I = 128, H = 192, M = 600;  // more rows than the hidden values of one block
    const Rounded w1 = random_weight(H, I, bits, bits == 8 ? I : 64),
                  up = random_weight(H, I, bits, bits == 8 ? I : 64);
    const Rounded w2 = random_weight(I, H, bits, bits == 8 ? H : 64);
    const at::Tensor x = torch::randn({2, M / 2, I}), b1 = torch::randn({H}), b2 = torch::randn({I});
    const at::Tensor rows = rounded(x.to(at::kDouble)), first = at::linear(rows, w1.wide);
    const at::Tensor gelu = at::gelu(first + b1, "tanh"),
                     swiglu = at::silu(first) * at::linear(rows, up.wide);
    EXPECT_TRUE(close(gelu_mlp(x, w1.weight, b1, w2.weight, b2),
                      at::linear(rounded(gelu), w2.wide, b2.to(at::kDouble)), 0.05));
    EXPECT_TRUE(
        close(swiglu_mlp(x, w1.weight, up.weight, w2.weight), at::linear(rounded(swiglu), w2.wide), 0.05));
  }
}

TEST(QuantisedLinear, KeepsLeadingAxes) {
  const Rounded w = random_weight(5, 16, 8, 16);
  EXPECT_EQ(linear(torch::randn({2, 3, 16}), w.weight).sizes(), (std::vector<int64_t>{2, 3, 5}));
  EXPECT_EQ(linear(torch::randn({16}), w.weight).sizes(), (std::vector<int64_t>{5}));
  EXPECT_EQ(linear(torch::randn({0, 16}), w.weight).sizes(), (std::vector<int64_t>{0, 5}));
  const at::Tensor apart = torch::randn({16, 4}).t();
  EXPECT_TRUE(at::equal(linear(apart, w.weight), linear(apart.contiguous(), w.weight)));
}

TEST(QuantisedLinear, LosesNoRowThatIsNotFinite) {
  const Rounded w = random_weight(20, 37, 8, 37);
  at::Tensor x = torch::randn({5, 37});
  x[0][36] = std::numeric_limits<float>::quiet_NaN();
  x[1][3] = -std::numeric_limits<float>::infinity();
  x[2] = 0;
  x[3] *= 1e-40;
  const at::Tensor y = linear(x, w.weight);
  EXPECT_TRUE(at::isnan(y.narrow(0, 0, 2)).all().item<bool>());
  EXPECT_TRUE((y.narrow(0, 2, 2) == 0).all().item<bool>());
  EXPECT_TRUE(at::isfinite(y[4]).all().item<bool>());
}

TEST(QuantisedLinear, RefusesWhatItCannotDo) {
  const Rounded w = random_weight(5, 16, 8, 16), other = random_weight(6, 16, 8, 16);
  EXPECT_THROW(linear(torch::randn({2, 15}), w.weight), Error);
  EXPECT_THROW(linear(torch::randn({2, 16}).to(at::kBFloat16), w.weight), Error);
  EXPECT_THROW(linear(torch::randn({2, 16}).requires_grad_(), w.weight), Error);
  EXPECT_THROW(swiglu_mlp(torch::randn({2, 16}), w.weight, other.weight, w.weight), Error);
  EXPECT_THROW(gelu_mlp(torch::randn({2, 16}), w.weight, {}, w.weight, {}), Error);
}

}  // namespace
}  // namespace vl3::ops
