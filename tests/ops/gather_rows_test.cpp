#include "ops/gather_rows.h"

#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

TEST(TakeRows, ValueAndGradientOfIndexSelect) {
  const at::Tensor x = torch::randn({6, 3}).requires_grad_();
  const at::Tensor index = torch::tensor({4, 0, 5}, at::kLong), weights = torch::randn({3, 3});
  const at::Tensor found = take_rows(x, index), wanted = x.index_select(0, index);
  EXPECT_TRUE(at::equal(found, wanted));
  EXPECT_TRUE(at::equal(torch::autograd::grad({(found * weights).sum()}, {x})[0],
                        torch::autograd::grad({(wanted * weights).sum()}, {x})[0]));
}

TEST(PutRows, ReplacesRowsAndSplitsTheGradient) {
  const at::Tensor x = torch::randn({5, 2}).requires_grad_(), rows = torch::randn({2, 2}).requires_grad_();
  const at::Tensor index = torch::tensor({3, 1}, at::kLong), weights = torch::randn({5, 2});
  const at::Tensor found = put_rows(x, index, rows), wanted = x.index_copy(0, index, rows);
  EXPECT_TRUE(at::equal(found, wanted));
  const auto grads = torch::autograd::grad({(found * weights).sum()}, {x, rows});
  const auto wanted_grads = torch::autograd::grad({(wanted * weights).sum()}, {x, rows});
  EXPECT_TRUE(at::equal(grads[0], wanted_grads[0]));
  EXPECT_TRUE(at::equal(grads[1], wanted_grads[1]));
}

TEST(PutRows, GivesNoGradientToFrozenEmbeddings) {
  const at::Tensor x = torch::randn({5, 2}), rows = torch::randn({1, 2}).requires_grad_();
  put_rows(x, torch::tensor({2}, at::kLong), rows).sum().backward();
  EXPECT_TRUE(close(rows.grad(), torch::ones({1, 2}), 0));
}

TEST(EmbedRows, SumsTheGradientOfRepeatedIds) {
  const at::Tensor table = torch::randn({7, 3}).requires_grad_();
  const at::Tensor ids = torch::tensor({2, 5, 2}, at::kLong), weights = torch::randn({3, 3});
  const at::Tensor wanted = torch::autograd::grad({(table.index_select(0, ids) * weights).sum()}, {table})[0];
  EXPECT_TRUE(
      close(torch::autograd::grad({(embed_rows(table, ids) * weights).sum()}, {table})[0], wanted, 1e-6));
  const at::Tensor sum = torch::ones({7, 3});
  (embed_rows(table, ids, sum) * weights).sum().backward();
  EXPECT_FALSE(table.grad().defined());
  EXPECT_TRUE(close(sum - 1, wanted, 1e-6));
}

}  // namespace
}  // namespace vl3::ops
