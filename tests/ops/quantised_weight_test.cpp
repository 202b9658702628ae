#include "ops/quantised_weight.h"

#include "support/tensors.h"
#include "vl3/error.h"

namespace vl3::ops {
namespace {

TEST(QuantisedWeight, KeepsEveryNumber) {
  torch::manual_seed(8);
  for (const int64_t O : {1, 64, 70}) {
    for (const int64_t I : {1, 30, 96}) {
      const at::Tensor values = torch::randint(-128, 128, {O, I}).to(at::kChar), scale = torch::rand({O});
      const QuantisedWeight weight = QuantisedWeight::int8(values, scale);
      const at::Tensor wide = values.to(at::kFloat) * scale.unsqueeze(1);
      EXPECT_TRUE(at::equal(weight.dequantised(), wide)) << O << " x " << I;
      EXPECT_EQ(weight.out_features(), O);
      EXPECT_EQ(weight.in_features(), I);
      EXPECT_EQ(weight.group(), I);
      EXPECT_EQ(weight.bits(), 8);
      const at::Tensor ids = torch::randint(0, O, {11});
      EXPECT_TRUE(at::equal(weight.rows(ids), wide.index_select(0, ids)));
    }
    for (const int64_t group : {32, 64, 128}) {
      const at::Tensor values = torch::randint(-8, 8, {O, 384}).to(at::kChar),
                       scale = torch::rand({O, 384 / group});
      const QuantisedWeight weight = QuantisedWeight::int4(values, scale);
      const at::Tensor wide = values.to(at::kFloat) * scale.repeat_interleave(group, 1);
      EXPECT_TRUE(at::equal(weight.dequantised(), wide)) << O << " group " << group;
      EXPECT_EQ(weight.group(), group);
      EXPECT_EQ(weight.bits(), 4);
      const at::Tensor ids = torch::randint(0, O, {11});
      EXPECT_TRUE(at::equal(weight.rows(ids), wide.index_select(0, ids)));
    }
  }
}

TEST(QuantisedWeight, TakesLittleMoreThanItsBits) {
  const int64_t O = 1536, I = 1536;
  const at::Tensor values = torch::zeros({O, I}, at::kChar);
  EXPECT_EQ(QuantisedWeight::int8(values, torch::ones({O})).bytes(), static_cast<size_t>(O * I + 4 * O));
  EXPECT_EQ(QuantisedWeight::int4(values, torch::ones({O, I / 128})).bytes(),
            static_cast<size_t>(O * I / 2 + 4 * O * I / 128));
}

TEST(QuantisedWeight, OutlivesWhatItWasMadeFrom) {
  at::Tensor copy_of;
  std::optional<QuantisedWeight> kept;
  {
    at::Tensor values = torch::full({8, 8}, 3, at::kChar);
    const QuantisedWeight first = QuantisedWeight::int8(values, torch::full({8}, 0.5f));
    values.fill_(0);
    kept = first;
  }
  EXPECT_TRUE((kept->dequantised() == 1.5f).all().item<bool>());
}

TEST(QuantisedWeight, RefusesWhatItCannotPack) {
  const at::Tensor values = torch::zeros({4, 96}, at::kChar);
  EXPECT_THROW(QuantisedWeight::int8(values, torch::ones({5})), Error);
  EXPECT_THROW(QuantisedWeight::int8(values.to(at::kFloat), torch::ones({4})), Error);
  EXPECT_THROW(QuantisedWeight::int8(values.flatten(), torch::ones({4})), Error);
  EXPECT_THROW(QuantisedWeight::int4(values, torch::ones({4, 2})), Error);  // groups of 48
  EXPECT_THROW(QuantisedWeight::int4(values, torch::ones({4, 5})), Error);
  EXPECT_THROW(QuantisedWeight::int4(values, torch::ones({4})), Error);
  EXPECT_THROW(QuantisedWeight::int8(values, torch::ones({4})).rows(torch::tensor({4})), Error);
  EXPECT_THROW(QuantisedWeight::int8(values, torch::ones({4})).rows(torch::tensor({-1})), Error);
}

}  // namespace
}  // namespace vl3::ops
