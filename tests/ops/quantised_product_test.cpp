#include "ops/quantised_product.h"

#include <cstring>

#include "ops/quantised_weight.h"
#include "support/tensors.h"

namespace vl3::ops {
namespace {

using test::close;

// Runs `body` once on every set of instructions this CPU has.
template <typename Body>
void on_every_path(const Body& body) {
  for (const std::string& path : quantised_paths()) {
    SCOPED_TRACE(path);
    force_quantised_path(path);
    body();
  }
  force_quantised_path("");
}

// int8 numbers of `bits` bits, the extremes among them.
at::Tensor whole_numbers(int64_t O, int64_t I, int bits) {
  const int64_t most = bits == 8 ? 127 : 7, least = bits == 8 ? -128 : -8;
  at::Tensor w = torch::randint(least, most + 1, {O, I}).to(at::kChar);
  w[0] = least;
  w[O - 1] = most;
  return w;
}

// Rows that rounding to 8 bits leaves as they are: whole numbers with 127 among them.
at::Tensor whole_rows(int64_t M, int64_t I) {
  at::Tensor x = torch::randint(-127, 128, {M, I}).to(at::kFloat);
  x.select(1, I / 2).fill_(127);
  x[M - 1] = 127;
  return x;
}

QuantisedWeight make_weight(const at::Tensor& values, const at::Tensor& scale, int bits) {
  return bits == 8 ? QuantisedWeight::int8(values, scale.flatten()) : QuantisedWeight::int4(values, scale);
}

struct Case {
  int bits;
  int64_t group, I, O;
};

class QuantisedProducts : public testing::TestWithParam<Case> {};

// Scales that are powers of two and rows of whole numbers: every result is exact in float32 as long as it
// stays below 2^24, so that one wrong bit in one sum shows.
TEST_P(QuantisedProducts, AreExactOnEveryPath) {
  const Case& c = GetParam();
  torch::manual_seed(3);
  const int64_t groups = c.bits == 8 ? 1 : c.I / c.group;
  const at::Tensor values = whole_numbers(c.O, c.I, c.bits);
  const at::Tensor scale = torch::pow(2.0, torch::randint(-3, 1, {c.O, groups}).to(at::kFloat));
  const at::Tensor bias = torch::randint(-9, 10, {c.O}).to(at::kFloat);
  const at::Tensor wide = values.to(at::kDouble) * scale.to(at::kDouble).repeat_interleave(c.I / groups, 1);
  on_every_path([&] {
    const QuantisedWeight weight = make_weight(values, scale, c.bits);
    for (const int64_t M : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17, 40}) {
      const at::Tensor x = whole_rows(M, c.I);
      const at::Tensor wanted = at::linear(x.to(at::kDouble), wide, bias.to(at::kDouble));
      ASSERT_LT(wanted.abs().max().item<double>(), 1 << 24);
      ASSERT_TRUE(close(linear(x, weight, bias), wanted, 0.0)) << "M=" << M;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, QuantisedProducts,
                         testing::Values(Case{8, 0, 1, 1}, Case{8, 0, 3, 5}, Case{8, 0, 33, 64},
                                         Case{8, 0, 100, 70}, Case{8, 0, 500, 17}, Case{4, 32, 32, 1},
                                         Case{4, 32, 96, 70}, Case{4, 64, 2240, 33}, Case{4, 128, 384, 130}));

// More inputs than one block of any kernel holds; sums past 2^24 are rounded once, when they become float32.
TEST(QuantisedProduct, GoesOnFromBlockToBlock) {
  torch::manual_seed(4);
  for (const int bits : {8, 4}) {
    const int64_t I = 4480, O = 19, groups = bits == 8 ? 1 : I / 128;
    const at::Tensor values = whole_numbers(O, I, bits), scale = torch::ones({O, groups});
    on_every_path([&] {
      const QuantisedWeight weight = make_weight(values, scale, bits);
      for (const int64_t M : {1, 7, 30}) {
        const at::Tensor x = whole_rows(M, I);
        const at::Tensor wanted = at::linear(x.to(at::kDouble), values.to(at::kDouble));
        EXPECT_TRUE(close(linear(x, weight), wanted, 127.0 * 127.0 * I / (1 << 23))) << bits << " M=" << M;
      }
    });
  }
}

TEST(QuantisedProduct, GivesARowTheSameWhateverItsCompany) {
  torch::manual_seed(5);
  const int64_t I = 256, O = 70;
  const at::Tensor x = torch::randn({300, I}), b = torch::randn({O}), scale8 = torch::rand({O}) / 100;
  const at::Tensor scale4 = torch::rand({O, I / 64}) / 10, down = torch::rand({I, 1}) / 100;
  on_every_path([&] {
    const QuantisedWeight w8 = QuantisedWeight::int8(whole_numbers(O, I, 8), scale8);
    const QuantisedWeight w4 = QuantisedWeight::int4(whole_numbers(O, I, 4), scale4);
    const QuantisedWeight last = QuantisedWeight::int8(whole_numbers(I, O, 8), down.flatten());
    const auto check = [&](const auto& run) {
      const at::Tensor all = run(x);
      for (const int64_t count : {1, 2, 3, 4, 7, 8, 9, 11, 64, 129}) {
        for (const int64_t first : {0, 5, 150}) {
          EXPECT_TRUE(at::equal(run(x.narrow(0, first, count)), all.narrow(0, first, count)))
              << count << " rows from " << first;
        }
      }
    };
    check([&](const at::Tensor& rows) { return linear(rows, w8, b); });
    check([&](const at::Tensor& rows) { return linear(rows, w4, b); });
    check([&](const at::Tensor& rows) { return gelu_mlp(rows, w8, b, last, {}); });
    check([&](const at::Tensor& rows) { return swiglu_mlp(rows, w4, w4, last); });
  });
}

TEST(QuantisedProduct, KnowsItsPaths) {
  const std::vector<std::string> paths = quantised_paths();
  ASSERT_GE(paths.size(), 2u);
  for (size_t i = 0; i < paths.size(); ++i) {
    force_quantised_path(paths[i]);
    EXPECT_EQ(product_takes_wide(), paths[i] != "VNNI");
  }
  force_quantised_path("");
  EXPECT_EQ(product_takes_wide(), paths[0] != "VNNI");
}

}  // namespace
}  // namespace vl3::ops
