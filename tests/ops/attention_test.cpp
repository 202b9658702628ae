#include "ops/attention.h"

#include <cmath>

#include "ops/dot_bf16.h"
#include "ops/flash_attention.h"
#include "ops/linear.h"
#include "ops/rounded_heads.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

at::Tensor plain_causal(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const int64_t G = q.size(0) / k.size(0), S = q.size(1), L = k.size(1);
  const at::Tensor keys = k.to(at::kFloat).repeat_interleave(G, 0),
                   values = v.to(at::kFloat).repeat_interleave(G, 0);
  const at::Tensor hidden = torch::ones({S, L}, at::kBool).triu(L - S + 1);
  return torch::matmul(torch::matmul(q * scale, keys.transpose(1, 2)).masked_fill(hidden, -1e30).softmax(-1),
                       values);
}

struct Case {
  int64_t S, L;
};

class CausalAttention : public testing::TestWithParam<Case> {};

TEST_P(CausalAttention, MatchesTheMaskedSoftmax) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(2);
  const auto [S, L] = GetParam();
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    // The cache is a longer buffer of which the first L positions are filled.
    const at::Tensor k = torch::randn({2, L + 7, 32}).to(dtype).narrow(1, 0, L);
    const at::Tensor v = torch::randn({2, L + 7, 32}).to(dtype).narrow(1, 0, L);
    const at::Tensor q = torch::randn({6, S, 32});
    force_bf16_product(Bf16Product::kWidenedTiles);  // what CPUs without bfloat16 arithmetic take
    for (const std::string& name : instruction_sets()) {
      force_instruction_set(name);
      EXPECT_TRUE(close(causal_attention(q, k, v, 0.2), plain_causal(q, k, v, 0.2), 2e-5))
          << S << " of " << L << ", " << name;
    }
    force_instruction_set("");
    force_bf16_product(std::nullopt);
    EXPECT_TRUE(
        close(causal_attention(q, k, v, 0.2), plain_causal(q, k, v, 0.2), dtype == at::kFloat ? 2e-5 : 2e-2));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CausalAttention,
                         testing::Values(Case{1, 1}, Case{1, 5}, Case{3, 3}, Case{8, 700}, Case{1, 1500},
                                         Case{9, 9}, Case{40, 40}, Case{40, 41}, Case{33, 600},
                                         Case{9, 5000}));

// k [KV, L, d] with a greatest value of its own a head and position.
std::pair<at::Tensor, at::Tensor> rounded(const at::Tensor& x) {
  at::Tensor values = torch::empty(x.sizes(), at::kChar), scales = torch::empty({x.size(0), x.size(1)});
  for (int64_t row = 0; row < x.size(0) * x.size(1); ++row)
    scales.data_ptr<float>()[row] = round_head(x.const_data_ptr<float>() + row * x.size(2), x.size(2),
                                               values.data_ptr<int8_t>() + row * x.size(2));
  return {values, scales};
}

TEST_P(CausalAttention, OfACacheOf8BitsIsThatOfItsNumbers) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  const auto [S, L] = GetParam();
  for (const int64_t d : {32, 22}) {
    const at::Tensor q = torch::randn({6, S, d});
    const auto [k, k_scale] = rounded(torch::randn({2, L + 7, d}));
    const auto [v, v_scale] = rounded(torch::randn({2, L + 7, d}));
    const auto first = [L = L](const at::Tensor& x) { return x.narrow(1, 0, L); };
    const at::Tensor wide_k = first(k * k_scale.unsqueeze(-1)), wide_v = first(v * v_scale.unsqueeze(-1));
    const at::Tensor wanted = plain_causal(q, wide_k, wide_v, 0.2);
    const double tolerance = S <= kStreamedQueries || !takes_flash(q) ? 2e-5 : 2e-2;
    for (const std::string& name : instruction_sets()) {
      force_instruction_set(name);
      EXPECT_TRUE(close(causal_attention(q, {first(k), first(v), first(k_scale), first(v_scale)}, 0.2),
                        wanted, tolerance))
          << S << " of " << L << ", d " << d << ", " << name;
    }
    force_instruction_set("");
  }
}

// A key that is no number was passed over, and with it up to 512 others.
TEST(CausalAttention, BrokenNumbersShow) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(6);
  const at::Tensor q = torch::randn({2, 1, 32}), v = torch::randn({1, 600, 32});
  for (const float broken : {NAN, INFINITY, -INFINITY}) {
    for (const int64_t at : {0, 3, 511, 512, 599}) {
      at::Tensor k = torch::randn({1, 600, 32});
      k[0][at].fill_(broken);
      auto [values, scales] = rounded(torch::randn({1, 600, 32}));
      scales[0][at] = broken;
      for (const std::string& name : instruction_sets()) {
        force_instruction_set(name);
        EXPECT_TRUE(causal_attention(q, k, v, 0.2).isnan().all().item<bool>()) << name << at << broken;
        EXPECT_TRUE(
            causal_attention(q, k.to(at::kBFloat16), v.to(at::kBFloat16), 0.2).isnan().all().item<bool>())
            << name << at << broken;
        const auto [whole, whole_scales] = rounded(v);
        EXPECT_TRUE(
            causal_attention(q, {values, whole, scales, whole_scales}, 0.2).isnan().all().item<bool>())
            << name << at << broken;
      }
      force_instruction_set("");
    }
  }
}

TEST(RoundHead, IsNearestToTheGreatestOf127) {
  std::vector<int8_t> out(4);
  const std::vector<float> x = {-2.54F, 0.03F, 1.0F, 2.0F};
  EXPECT_FLOAT_EQ(round_head(x.data(), 4, out.data()), 0.02F);
  EXPECT_EQ(out, (std::vector<int8_t>{-127, 2, 50, 100}));
  EXPECT_EQ(round_head(std::vector<float>(4).data(), 4, out.data()), 0.0F);
  EXPECT_EQ(out, std::vector<int8_t>(4));
  EXPECT_TRUE(std::isnan(round_head(std::vector<float>{1, INFINITY, 0, 0}.data(), 4, out.data())));
}

TEST(CausalAttention, GradientEqualsThePlainOne) {
  torch::manual_seed(3);
  const at::Tensor q = torch::randn({4, 12, 8}).requires_grad_(),
                   k = torch::randn({2, 12, 8}).requires_grad_();
  const at::Tensor v = torch::randn({2, 12, 8}).requires_grad_();
  const auto ours = torch::autograd::grad({causal_attention(q, k, v, 0.3).square().sum()}, {q, k, v});
  const auto plain = torch::autograd::grad({plain_causal(q, k, v, 0.3).square().sum()}, {q, k, v});
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(close(ours[i], plain[i], 1e-4));
}

TEST(FullAttention, MatchesSoftmax) {
  torch::manual_seed(4);
  const at::Tensor q = torch::randn({3, 4, 50, 18}), k = torch::randn({3, 4, 50, 18}),
                   v = torch::randn({3, 4, 50, 18});
  const at::Tensor wanted = torch::matmul(torch::matmul(q * 0.1, k.transpose(-1, -2)).softmax(-1), v);
  EXPECT_TRUE(close(full_attention(q, k, v, 0.1), wanted, 1e-5));
}

}  // namespace
}  // namespace vl3::ops
