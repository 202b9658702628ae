#include "ops/packed_attention.h"

#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

// Every sequence alone, through the masked softmax.
at::Tensor plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 const std::vector<int64_t>& lengths, double scale) {
  const int64_t G = q.size(1) / k.size(1);
  std::vector<at::Tensor> outputs;
  int64_t begin = 0;
  for (const int64_t L : lengths) {
    const auto own = [&](const at::Tensor& x, int64_t repeat) {
      return x.narrow(0, begin, L).transpose(0, 1).repeat_interleave(repeat, 0);
    };
    const at::Tensor hidden = torch::ones({L, L}, at::kBool).triu(1);
    const at::Tensor scores =
        torch::matmul(own(q, 1) * scale, own(k, G).transpose(1, 2)).masked_fill(hidden, -1e30);
    outputs.push_back(torch::matmul(scores.softmax(-1), own(v, G)).transpose(0, 1).reshape({L, -1}));
    begin += L;
  }
  return torch::cat(outputs);
}

class PackedAttention : public testing::TestWithParam<std::vector<int64_t>> {};

TEST_P(PackedAttention, EqualsEverySequenceAlone) {
  torch::manual_seed(6);
  const auto& lengths = GetParam();
  const PackedSequences sequences(lengths, at::kCPU);
  const int64_t S = sequences.rows();
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const double tolerance = dtype == at::kFloat ? 2e-5 : 3e-2;
    const auto input = [&](int64_t heads) { return torch::randn({S, heads, 8}).to(dtype).requires_grad_(); };
    const at::Tensor q = input(4), k = input(2), v = input(2);
    const auto wide = [](const at::Tensor& x) { return x.detach().to(at::kFloat).requires_grad_(); };
    const at::Tensor wide_q = wide(q), wide_k = wide(k), wide_v = wide(v);
    const at::Tensor found = packed_attention(q, k, v, sequences, 0.3);
    const at::Tensor wanted = plain(wide_q, wide_k, wide_v, lengths, 0.3);
    EXPECT_TRUE(close(found, wanted, tolerance));
    const at::Tensor weights = torch::randn(found.sizes());
    const auto grads = torch::autograd::grad({(found.to(at::kFloat) * weights).sum()}, {q, k, v});
    const auto wanted_grads = torch::autograd::grad({(wanted * weights).sum()}, {wide_q, wide_k, wide_v});
    for (size_t i = 0; i < 3; ++i)
      EXPECT_LE((grads[i].to(at::kFloat) - wanted_grads[i]).norm().item<double>(),
                (dtype == at::kFloat ? 1e-5 : 2e-2) * (wanted_grads[i].norm().item<double>() + 0.1));
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, PackedAttention,
                         testing::Values(std::vector<int64_t>{1}, std::vector<int64_t>{9},
                                         std::vector<int64_t>{5, 5, 5},
                                         std::vector<int64_t>{3, 70, 1, 66, 64, 20},
                                         std::vector<int64_t>{600, 30, 590}));

TEST(PackedSequences, PadsSimilarLengthsTogether) {
  const PackedSequences sequences({100, 10, 95, 90, 11}, at::kCPU);
  ASSERT_EQ(sequences.batches().size(), 2u);
  EXPECT_EQ(sequences.batches()[0].count, 3);
  EXPECT_EQ(sequences.batches()[0].longest, 100);
  EXPECT_EQ(sequences.batches()[1].longest, 11);
  EXPECT_EQ(sequences.positions()[100].item<int64_t>(), 0);
  EXPECT_FALSE(PackedSequences({7, 7}, at::kCPU).places().defined()) << "equal lengths stay where they are";
}

}  // namespace
}  // namespace vl3::ops
