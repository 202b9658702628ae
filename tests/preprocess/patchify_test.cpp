#include "preprocess/patchify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;

TEST(Patchify, BlocksOfTheMergeLieTogether) {
  // One-pixel patches: the pixel's number is its value.
  std::vector<uint8_t> rgb;
  for (uint8_t i = 0; i < 16; ++i)
    rgb.insert(rgb.end(), {i, static_cast<uint8_t>(i + 100), static_cast<uint8_t>(i + 200)});
  std::vector<uint8_t> patches(rgb.size());
  patchify(rgb, {4, 4}, 1, 2, patches);
  std::vector<int> order;
  for (size_t i = 0; i < patches.size(); i += 3) {
    order.push_back(patches[i]);
    EXPECT_EQ(patches[i + 1], patches[i] + 100);
    EXPECT_EQ(patches[i + 2], patches[i] + 200);
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
}

TEST(Patchify, RoundTripAndPermutation) {
  std::mt19937 random(2);
  for (const int64_t merge : {1, 2, 3}) {
    for (const int64_t patch : {1, 3, 14}) {
      const Size size{patch * merge * 2, patch * merge * 3};
      std::vector<uint8_t> rgb(static_cast<size_t>(size.height * size.width * 3));
      for (uint8_t& value : rgb) value = static_cast<uint8_t>(random());
      std::vector<uint8_t> patches(rgb.size());
      std::vector<uint8_t> back(rgb.size());
      patchify(rgb, size, patch, merge, patches);
      unpatchify(patches, size, patch, merge, back);
      EXPECT_EQ(back, rgb);
      std::ranges::sort(patches);
      std::ranges::sort(rgb);
      EXPECT_EQ(patches, rgb);
    }
  }
}

TEST(Patchify, BatchGrowsFrameByFrame) {
  PatchBatch batch = make_patch_batch({28, 56}, 14, 2);
  const std::vector<uint8_t> small(10 * 20 * 3, 77);
  const std::vector<uint8_t> exact(28 * 56 * 3, 9);
  append_frame(batch, small, {10, 20});
  append_frame(batch, exact, {28, 56});
  EXPECT_EQ(batch.grid, (Grid{2, 2, 4}));
  EXPECT_EQ(batch.tokens_per_frame(), 2);
  EXPECT_EQ(batch.frame(0).front(), 77);
  EXPECT_EQ(batch.frame(1).back(), 9);
  EXPECT_EQ(batch.patches_u8.size(), 2u * 28 * 56 * 3);
}

TEST(Patchify, RefusesSizesThatDoNotDivide) {
  std::vector<uint8_t> rgb(28 * 42 * 3);
  std::vector<uint8_t> patches(rgb.size());
  EXPECT_NE(error_of([&] { patchify(rgb, {28, 42}, 14, 2, patches); }).find("42x28"), std::string::npos);
  EXPECT_NE(error_of([&] { make_patch_batch({0, 14}, 14, 1); }).find("does not divide"), std::string::npos);
  EXPECT_NE(error_of([&] { make_patch_batch({14, 14}, 0, 1); }).find("must be 1"), std::string::npos);
  patches.pop_back();
  EXPECT_NE(error_of([&] {
              patchify(rgb, {28, 42}, 14, 1, patches);
            }).find("the buffers have"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
