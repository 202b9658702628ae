#include "media/yuv_to_rgb.h"

#include <gtest/gtest.h>

#include <vector>

namespace vl3::media {
namespace {

// Values of Pillow 12.3's AVIF reader (libavif 1.4 with libyuv) for flat pictures.
TEST(YuvToRgb, FlatColoursFullRange) {
  const std::vector<uint8_t> y(4, 81), cb(1, 90), cr(1, 240);
  YuvPlanes planes{.y = y.data(),
                   .cb = cb.data(),
                   .cr = cr.data(),
                   .y_stride = 2,
                   .cb_stride = 1,
                   .cr_stride = 1,
                   .width = 2,
                   .height = 2,
                   .shift_x = 1,
                   .shift_y = 1};
  std::vector<uint8_t> rgb(12);
  yuv_to_rgb(planes, YuvMatrix::kBt601, true, rgb.data());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(rgb[3 * i], 238, 1);
    EXPECT_NEAR(rgb[3 * i + 1], 14, 1);
    EXPECT_NEAR(rgb[3 * i + 2], 14, 1);
  }
}

TEST(YuvToRgb, ChromaIsSmoothedTowardsItsNeighbour) {
  const std::vector<uint8_t> y(4, 128), cb(2, 128), cr = {128, 192};
  YuvPlanes planes{.y = y.data(),
                   .cb = cb.data(),
                   .cr = cr.data(),
                   .y_stride = 4,
                   .cb_stride = 2,
                   .cr_stride = 2,
                   .width = 4,
                   .height = 1,
                   .shift_x = 1,
                   .shift_y = 0};
  std::vector<uint8_t> rgb(12);
  yuv_to_rgb(planes, YuvMatrix::kBt601, true, rgb.data());
  EXPECT_LT(rgb[0], rgb[3]);
  EXPECT_LT(rgb[3], rgb[6]);
  EXPECT_LT(rgb[6], rgb[9]);
}

TEST(YuvToRgb, GreyOfVideoRangeReachesBlackAndWhite) {
  const std::vector<uint8_t> y = {0, 16, 126, 235, 255};
  YuvPlanes planes{.y = y.data(), .y_stride = 5, .width = 5, .height = 1};
  std::vector<uint8_t> rgb(15);
  yuv_to_rgb(planes, YuvMatrix::kBt601, false, rgb.data());
  EXPECT_EQ(rgb[0], 0);
  EXPECT_EQ(rgb[3], 0);
  EXPECT_EQ(rgb[6], 128);
  EXPECT_EQ(rgb[9], 255);
  EXPECT_EQ(rgb[12], 255);
}

}  // namespace
}  // namespace vl3::media
