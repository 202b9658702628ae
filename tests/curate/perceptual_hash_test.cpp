#include "curate/perceptual_hash.h"

#include <gtest/gtest.h>

#include "curate/pictures.h"
#include "media/image_reader.h"

namespace vl3::curate {
namespace {

media::Frame decoded(const std::string& bytes) {
  return media::read_image(media::media_from_bytes(bytes, "a.jpg"), Flow::kNative);
}

TEST(PerceptualHash, StoredAnewStaysNear) {
  for (uint64_t i = 0; i < 20; ++i) {
    const media::Frame scene = test::scene(i);
    const Likeness whole = likeness_of(scene), again = likeness_of(decoded(test::jpeg(scene, 40)));
    EXPECT_LE(hash_distance(whole.hash, again.hash), 12) << i;
    EXPECT_LE(thumb_distance(whole.thumb, again.thumb).most, 2) << i;
  }
}

TEST(PerceptualHash, OtherPicturesAreFar) {
  for (uint64_t i = 0; i < 30; ++i) {
    const Likeness a = likeness_of(test::scene(i)), b = likeness_of(test::scene(i + 100));
    EXPECT_GT(hash_distance(a.hash, b.hash), 40) << i;
  }
}

TEST(PerceptualHash, ThumbnailSeesColourThatLumaDoesNot) {
  // Red of luma 76 and green of the same.
  const auto patch = [](int red, int green) {
    return likeness_of(test::draw(64, 64, [=](int y, int x, int c) {
      const bool inside = y > 20 && y < 40 && x > 20 && x < 40;
      return !inside ? 255 : c == 0 ? red : c == 1 ? green : 0;
    }));
  };
  const Likeness red = patch(255, 0), green = patch(0, 130);
  EXPECT_LE(hash_distance(red.hash, green.hash), 12);
  EXPECT_GT(thumb_distance(red.thumb, green.thumb).most, 4);
}

TEST(PerceptualHash, BrighterAllOverIsNoDifference) {
  Thumb a{}, b{};
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = static_cast<uint8_t>(i % 8), b[i] = static_cast<uint8_t>(i % 8 + 3);
  EXPECT_NEAR(thumb_distance(a, b).mean, 0, 1e-9);
  EXPECT_NEAR(thumb_distance(a, b).most, 0, 1e-9);
}

TEST(PerceptualHash, TextGivesThemBack) {
  const Likeness likeness = likeness_of(test::scene(3));
  EXPECT_EQ(parse_hash(hash_text(likeness.hash)), likeness.hash);
  EXPECT_EQ(parse_thumb(thumb_text(likeness.thumb)), likeness.thumb);
  EXPECT_NE(test::error_of([] { parse_hash("12"); }), "");
  EXPECT_NE(test::error_of([] { parse_thumb(std::string(192, 'g')); }), "");
}

TEST(PerceptualHash, SmallAndNarrowPicturesHaveOne) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 300}, {300, 1}, {63, 65}})
    EXPECT_NO_THROW(likeness_of(test::draw(height, width, [](int y, int x, int) { return y * 7 + x; })));
}

}  // namespace
}  // namespace vl3::curate
