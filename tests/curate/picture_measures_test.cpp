#include "curate/picture_measures.h"

#include <gtest/gtest.h>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

TEST(PictureMeasures, PlainPictureHasNoContrastEntropyOrEdges) {
  const PictureMeasures plain = measure(test::draw(40, 60, [](int, int, int) { return 128; }));
  EXPECT_EQ(plain.contrast, 0);
  EXPECT_EQ(plain.entropy, 0);
  EXPECT_EQ(plain.sharpness, 0);
  EXPECT_EQ(plain.blur, 0);
  EXPECT_NEAR(plain.exposure, 128, 1e-9);
}

TEST(PictureMeasures, HalfBlackHalfWhiteByHand) {
  const PictureMeasures halves =
      measure(test::draw(10, 20, [](int, int x, int) { return x < 10 ? 0 : 255; }));
  EXPECT_NEAR(halves.contrast, 127.5, 1e-6);
  EXPECT_NEAR(halves.entropy, 1, 1e-9);
  EXPECT_NEAR(halves.dark_share, 0.5, 1e-9);
  EXPECT_NEAR(halves.bright_share, 0.5, 1e-9);
  // One step of 255 across; a low-pass of 9 makes steps of 255 / 9: the sharp part is 8/9, blur 1/9.
  EXPECT_NEAR(halves.blur, 1.0 / 9, 1e-6);
}

TEST(PictureMeasures, BlurRisesWithSoftEdges) {
  double last = 0;
  for (const int ramp : {2, 6, 12, 24}) {
    const PictureMeasures soft =
        measure(test::draw(40, 120, [ramp](int, int x, int) { return (x - 50) * 255 / ramp; }));
    EXPECT_GT(soft.blur, last) << ramp;
    last = soft.blur;
  }
  EXPECT_GT(last, 0.7);
}

TEST(PictureMeasures, LargePicturesAreAveragedDown) {
  const Luma luma = luma_of(test::draw(100, 1100, [](int, int x, int) { return x % 2 == 0 ? 0 : 200; }), 512);
  EXPECT_EQ(luma.width, 366);  // by 3
  EXPECT_EQ(luma.height, 33);
  for (const uint8_t value : luma.values) EXPECT_TRUE(value == 67 || value == 133) << int{value};
}

TEST(PictureMeasures, OnePixelIsEnough) {
  const PictureMeasures one = measure(test::draw(1, 1, [](int, int, int) { return 7; }));
  EXPECT_EQ(one.dark_share, 1);
  EXPECT_EQ(one.sharpness, 0);
}

}  // namespace
}  // namespace vl3::curate
