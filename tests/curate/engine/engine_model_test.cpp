// The embedded model as judge of pictures and captions.
#include "curate/engine/engine_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

std::shared_ptr<const engine::Runtime> runtime() {
  static const auto loaded = engine::Runtime::load({.model = std::string(VL3_SOURCE_DIR) + "/models/tiny",
                                                    .dtype = "float32",
                                                    .device = "cpu",
                                                    .flow = {}});
  return loaded;
}

CurateConfig with_features(const std::string& features) {
  CurateConfig config;
  config.features = features;
  return config;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// One shape in the middle of a white ground.
media::Frame shape(int red, int green, int blue, bool round, int side = 112) {
  return test::draw(side, side, [=](int y, int x, int c) {
    const double dy = y - side / 2.0, dx = x - side / 2.0, r = side * 0.3;
    const bool inside = round ? dx * dx + dy * dy < r * r : std::abs(dx) < r && std::abs(dy) < r;
    return !inside ? 255 : c == 0 ? red : c == 1 ? green : blue;
  });
}

TEST(EngineModel, ARightCaptionGainsMoreThanAWrongOne) {
  const auto model = engine_model(runtime(), with_features("layout"));
  EXPECT_EQ(model->feature_size(), 0);
  const media::Frame circle = shape(220, 30, 30, true), square = shape(30, 60, 220, false);
  const std::string of_circle = "The image shows a red circle.", of_square = "The image shows a blue square.";
  const std::vector<Impression> seen =
      model->look({{&circle, of_circle}, {&circle, of_square}, {&square, of_square}, {&square, of_circle}});
  const auto gain = [&](size_t i) { return seen[i].scores.at("caption_gain"); };
  EXPECT_GT(gain(0), 0.1);
  EXPECT_LT(gain(1), 0);
  EXPECT_GT(gain(2), 0.1);
  EXPECT_LT(gain(3), 0);
}

TEST(EngineModel, AnItemsScoreDoesNotDependOnItsCompany) {
  const auto model = engine_model(runtime(), with_features("encoder"));
  const media::Frame circle = shape(220, 30, 30, true), square = shape(30, 60, 220, false, 196);
  const Sighting one{&circle, "The image shows a red circle."};
  const Sighting other{&square, std::string(3000, 'x')};  // more than is judged
  const std::vector<Impression> together = model->look({other, one, other}), alone = model->look({one});
  EXPECT_NEAR(together[1].scores.at("caption_gain"), alone[0].scores.at("caption_gain"), 1e-4);
  EXPECT_NEAR(cosine(together[1].features, alone[0].features), 1, 1e-5);
  EXPECT_TRUE(std::isfinite(together[0].scores.at("caption_gain")));
}

TEST(EngineModel, FeaturesAreOfLengthOneAndNearForPicturesAlike) {
  const auto model = engine_model(runtime(), with_features("encoder"));
  const media::Frame circle = shape(220, 30, 30, true), larger = shape(220, 30, 30, true, 140);
  const media::Frame page =
      test::draw(112, 112, [](int y, int x, int) { return y / 4 % 2 == 0 && x % 3 != 0 ? 0 : 255; });
  const std::vector<Impression> seen = model->look({{&circle, ""}, {&larger, ""}, {&page, ""}});
  for (const Impression& impression : seen) {
    EXPECT_EQ(static_cast<int64_t>(impression.features.size()), model->feature_size());
    EXPECT_NEAR(cosine(impression.features, impression.features), 1, 1e-5);
    EXPECT_TRUE(impression.scores.empty()) << "no caption, no gain";
  }
  EXPECT_GT(cosine(seen[0].features, seen[1].features), cosine(seen[0].features, seen[2].features) + 0.05);
}

}  // namespace
}  // namespace vl3::curate
