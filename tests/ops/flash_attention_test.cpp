#include "ops/flash_attention.h"

#include "ops/gemm_bf16.h"
#include "ops/linear.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

struct Case {
  int64_t B, H, KV, S, L, d;
  bool causal;
};

class FlashAttention : public testing::TestWithParam<Case> {};

// The oracle is the masked softmax in float64 of the same rounded inputs; what is left is the rounding of
// weights.
TEST_P(FlashAttention, MatchesTheMaskedSoftmax) {
  if (!cpu_has_avx512_bf16()) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  const auto [B, H, KV, S, L, d, causal] = GetParam();
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  // As the callers have them: heads inside rows; the cache longer than what is filled.
  const at::Tensor q = torch::randn({B, S, H, d}).mul(2).transpose(1, 2);
  const at::Tensor v = torch::randn({B, KV, L + 5, d}).narrow(2, 0, L);
  for (const bool narrow : {false, true}) {
    const at::Tensor k = torch::randn({B, L, KV, d}).to(narrow ? at::kBFloat16 : at::kFloat).transpose(1, 2);
    const auto exact = [](const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kDouble); };
    at::Tensor scores =
        torch::matmul(exact(q), exact(k).repeat_interleave(H / KV, 1).transpose(2, 3)) * scale;
    if (causal) scores.masked_fill_(torch::ones({S, L}, at::kBool).triu(L - S + 1), -1e300);
    const at::Tensor wanted = torch::matmul(scores.softmax(-1), exact(v).repeat_interleave(H / KV, 1));
    const at::Tensor found = flash_attention(q, k, narrow ? v.to(at::kBFloat16) : v, scale, causal);
    ASSERT_EQ(found.sizes(), wanted.sizes());
    EXPECT_TRUE(test::close(found, wanted.to(at::kFloat), 8e-3));
    EXPECT_LT((found - wanted).norm().item<double>(), 3e-3 * wanted.norm().item<double>());
    const at::Tensor given = q.transpose(1, 2).clone().transpose(1, 2);
    const at::Tensor over =
        flash_attention(given, k, narrow ? v.to(at::kBFloat16) : v, scale, causal, /*over_q=*/true);
    EXPECT_EQ(over.data_ptr(), given.data_ptr());
    EXPECT_TRUE(over.equal(found));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FlashAttention,
                         testing::Values(Case{1, 1, 1, 1, 1, 2, false}, Case{2, 3, 3, 50, 50, 72, false},
                                         Case{1, 2, 2, 30, 700, 18, false},
                                         Case{1, 4, 4, 784, 784, 72, false}, Case{1, 6, 2, 9, 9, 128, true},
                                         Case{1, 6, 2, 70, 70, 128, true}, Case{1, 12, 2, 40, 900, 128, true},
                                         Case{2, 4, 1, 33, 600, 33, true},
                                         Case{1, 2, 1, 300, 300, 64, true}));

TEST(FlashAttention, KeepsItsPrecisionWhereScoresAreFarApart) {
  if (!cpu_has_avx512_bf16()) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  const torch::NoGradGuard no_grad;
  // The largest score comes last, and the others vanish beside it.
  const at::Tensor q = torch::ones({1, 1, 1, 16}),
                   k = torch::arange(600).view({1, 1, 600, 1}).expand({1, 1, 600, 16});
  const at::Tensor v =
      torch::arange(600).view({1, 1, 600, 1}).expand({1, 1, 600, 16}).to(at::kFloat).contiguous();
  const at::Tensor found = flash_attention(q, k.to(at::kFloat).contiguous(), v, 8.0, false);
  EXPECT_TRUE(test::close(found, torch::full({1, 1, 1, 16}, 599.0).to(at::kBFloat16).to(at::kFloat), 1.5));
  EXPECT_TRUE(found.isfinite().all().item<bool>());
}

// The last block of keys is padded with zeros, which must not set the top.
TEST(FlashAttention, PaddingDoesNotOutweighScoresFarBelowZero) {
  if (!cpu_has_avx512_bf16()) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  const torch::NoGradGuard no_grad;
  for (const int64_t L : {17, 33, 65, 250, 257}) {
    const at::Tensor q = torch::full({1, 1, 3, 32}, 4.0), k = torch::full({1, 1, L, 32}, -4.0);
    const at::Tensor v = torch::full({1, 1, L, 32}, 2.5);
    EXPECT_TRUE(test::close(flash_attention(q, k, v, 1.0, false), torch::full({1, 1, 3, 32}, 2.5), 1e-6))
        << L;
  }
}

}  // namespace
}  // namespace vl3::ops
