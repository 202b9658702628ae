#include "preprocess/normalise.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;

TEST(Normalise, MapsTheRangeToMinusOneAndOne) {
  const NormaliseTable table = make_normalise_table({});
  EXPECT_TRUE(table.same_for_all_channels);
  EXPECT_EQ(table.values[0][0], -1.0f);
  EXPECT_EQ(table.values[0][255], 1.0f);
  for (size_t u = 0; u < 256; ++u)
    EXPECT_NEAR(table.values[1][u], static_cast<double>(u) / 127.5 - 1.0, 1.2e-7);
}

TEST(Normalise, UsesEachChannelsMeanAndStd) {
  weights::PreprocessConfig config;
  config.image_mean = {0.0, 0.5, 1.0};
  config.image_std = {1.0, 0.5, 0.25};
  const NormaliseTable table = make_normalise_table(config);
  EXPECT_FALSE(table.same_for_all_channels);
  const std::vector<uint8_t> row(3 * 4, 255);
  std::vector<float> values(row.size());
  normalise(row, values, table, 2);
  EXPECT_EQ(values, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}));
}

TEST(Normalise, RefusesBadConfigsAndLengths) {
  weights::PreprocessConfig config;
  config.image_std = {0.5, 0.0, 0.5};
  EXPECT_NE(error_of([&] { make_normalise_table(config); }).find("not 0"), std::string::npos);
  config.image_std = {0.5};
  EXPECT_NE(error_of([&] { make_normalise_table(config); }).find("wanted 3 each"), std::string::npos);
  std::vector<float> values(12);
  const std::vector<uint8_t> row(12);
  EXPECT_NE(error_of([&] { normalise(row, values, make_normalise_table({}), 14); }).find("588"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
