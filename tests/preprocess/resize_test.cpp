#include "preprocess/resize.h"

#include <gtest/gtest.h>

#include <random>

#include "preprocess/resize_kernels.h"
#include "support/golden_tensors.h"
#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;

std::vector<uint8_t> noise(Size size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> rgb(static_cast<size_t>(size.height * size.width * 3));
  // Half of the bytes at the ends of the range, so that over- and undershoot are clipped.
  for (uint8_t& value : rgb) {
    const auto bits = random();
    value = (bits & 0x100) != 0 ? static_cast<uint8_t>(bits) : static_cast<uint8_t>((bits & 1) * 255);
  }
  return rgb;
}

TEST(ResizeGolden, PillowsBytes) {
  const auto path = test::golden_dir() / "tables" / "resize_pixels.safetensors";
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << "the golden set holds no tables/resize_pixels.safetensors";
  const test::GoldenTensors tensors(path);
  int compared = 0;
  for (const auto& [name, input] : tensors.all()) {
    if (!name.ends_with(".in")) continue;
    const std::string stem = name.substr(0, name.size() - 3);
    const std::vector<int64_t> in = input.shape;
    const std::vector<int64_t> out = tensors.at(stem + ".out").shape;
    const std::vector<uint8_t> rgb = input.as<uint8_t>();
    const std::vector<uint8_t> wanted = tensors.at(stem + ".out").as<uint8_t>();
    EXPECT_TRUE(resize_bicubic(rgb, {in[0], in[1]}, {out[0], out[1]}) == wanted) << stem;
    EXPECT_TRUE(resize_bicubic_plain(rgb, {in[0], in[1]}, {out[0], out[1]}) == wanted) << stem << " plain";
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST(Resize, FastFormEqualsThePlainOne) {
  const std::vector<std::pair<Size, Size>> cases = {
      {{1, 1}, {14, 14}},     {{1, 1}, {1, 1}},      {{2, 3}, {28, 1}},      {{5, 4}, {3, 2}},
      {{37, 5}, {37, 11}},    {{37, 11}, {37, 5}},   {{64, 100}, {17, 100}}, {{17, 100}, {64, 100}},
      {{500, 700}, {14, 28}}, {{1, 900}, {14, 140}}, {{900, 1}, {140, 14}},  {{270, 480}, {140, 252}},
      {{33, 31}, {532, 504}}, {{2000, 3}, {28, 56}}, {{3, 2000}, {56, 28}},  {{97, 101}, {98, 98}},
  };
  unsigned seed = 0;
  for (const auto& [in, out] : cases) {
    const std::vector<uint8_t> rgb = noise(in, ++seed);
    EXPECT_TRUE(resize_bicubic(rgb, in, out) == resize_bicubic_plain(rgb, in, out))
        << in.width << "x" << in.height << " to " << out.width << "x" << out.height;
  }
}

TEST(Resize, PortableKernelsEqualTheCpusOwn) {
  const Size size{16, 77};
  const BicubicWeights table = make_bicubic_weights(77, 41);
  const std::vector<uint8_t> columns = noise({77, 16}, 3);  // [in, 3, lanes]
  std::vector<uint8_t> fast(41 * 3 * kRowLanes);
  std::vector<uint8_t> portable = fast;
  resize_kernels().filter_columns(columns.data(), table, fast.data());
  portable_resize_kernels().filter_columns(columns.data(), table, portable.data());
  EXPECT_TRUE(fast == portable);
  const BicubicWeights vertical = make_bicubic_weights(16, 5);
  const std::vector<uint8_t> rgb = noise(size, 4);
  std::vector<const uint8_t*> rows;
  for (int64_t y = 0; y < size.height; ++y) rows.push_back(rgb.data() + y * size.width * 3);
  for (const int64_t bytes : {1, 31, 32, 33, 231}) {
    for (int64_t y = 0; y < 5; ++y) {
      const auto [first, count] = vertical.windows[static_cast<size_t>(y)];
      std::vector<uint8_t> a(static_cast<size_t>(bytes));
      std::vector<uint8_t> b = a;
      resize_kernels().filter_rows(rows.data() + first, vertical.row(y), count, bytes, a.data());
      portable_resize_kernels().filter_rows(rows.data() + first, vertical.row(y), count, bytes, b.data());
      EXPECT_EQ(a, b);
    }
  }
}

TEST(Resize, VeryTallPicturesShrinkVerticallyFirst) {
  std::vector<uint8_t> rgb;
  for (int y = 0; y < 250; ++y) {
    for (int i = 0; i < 6; ++i) rgb.push_back(static_cast<uint8_t>(y * y * 37 + i / 3 * 91 + i % 3 * 57));
  }
  // Pillow 12.3 on the same picture; horizontally first, 14 of the values differ.
  const std::vector<uint8_t> pillow = {121, 110, 127, 120, 117, 124, 119, 132, 120, 118, 139, 117,
                                       117, 120, 133, 120, 124, 129, 124, 131, 119, 127, 135, 115,
                                       125, 108, 127, 122, 116, 125, 118, 131, 120, 115, 139, 118};
  EXPECT_EQ(resize_bicubic(rgb, {250, 2}, {3, 4}), pillow);
  EXPECT_EQ(resize_bicubic_plain(rgb, {250, 2}, {3, 4}), pillow);
}

TEST(Resize, SameSizeIsACopy) {
  const std::vector<uint8_t> rgb = noise({31, 17}, 9);
  EXPECT_EQ(resize_bicubic(rgb, {31, 17}, {31, 17}), rgb);
}

TEST(Resize, WeightsSumToOneAndWindowsAdvance) {
  for (const auto& [in, out] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 9}, {9, 1}, {1080, 560}, {560, 1080}}) {
    const BicubicWeights table = make_bicubic_weights(in, out);
    int32_t first_before = 0;
    int32_t end_before = 0;
    for (int64_t i = 0; i < out; ++i) {
      const auto [first, count] = table.windows[static_cast<size_t>(i)];
      int64_t sum = 0;
      for (int64_t j = 0; j < count; ++j) sum += table.row(i)[j];
      EXPECT_NEAR(static_cast<double>(sum), 1 << kWeightBits, count);
      EXPECT_TRUE(first >= first_before && first + count >= end_before && first + count <= in);
      first_before = first;
      end_before = first + count;
    }
  }
}

TEST(Resize, RefusesWrongLengthsAndEmptySizes) {
  const std::vector<uint8_t> rgb(300);
  EXPECT_NE(error_of([&] {
              resize_bicubic(rgb, {10, 11}, {5, 5});
            }).find("needs 330 bytes"),
            std::string::npos);
  EXPECT_NE(error_of([&] { resize_bicubic(rgb, {10, 10}, {0, 5}); }).find("5x0 pixels"), std::string::npos);
  std::vector<uint8_t> out(10);
  EXPECT_NE(error_of([&] {
              resize_bicubic(rgb, {10, 10}, out, {2, 2});
            }).find("its buffer has 10"),
            std::string::npos);
  EXPECT_NE(error_of([&] { make_bicubic_weights(0, 4); }).find("cannot resize"), std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
