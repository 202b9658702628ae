#include "synth/artefacts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "synth/generator.h"

namespace vl3::test {
namespace {

using namespace synth;

media::Frame flat(int width, int height, uint8_t value) {
  media::Frame frame;
  frame.width = width;
  frame.height = height;
  frame.rgb.assign(static_cast<size_t>(width * height * 3), value);
  return frame;
}

media::Frame picture() {
  SynthOptions options;
  options.image_codec = Codec::kRaw;
  options.sensor_noise = 0;
  return Generator(options).sample("scene.colour", "many", 4).frames[0];
}

double difference(const media::Frame& a, const media::Frame& b) {
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

TEST(Artefacts, SensorNoiseHasTheGivenDeviation) {
  for (const double sigma : {1.0, 4.0}) {
    media::Frame frame = flat(200, 150, 128);
    Rng rng(5);
    add_sensor_noise(rng, sigma, frame);
    double sum = 0, squares = 0;
    for (const uint8_t value : frame.rgb) sum += value - 128.0, squares += (value - 128.0) * (value - 128.0);
    const double n = static_cast<double>(frame.rgb.size());
    EXPECT_NEAR(sum / n, 0, 0.1);
    EXPECT_NEAR(std::sqrt(squares / n), std::sqrt(sigma * sigma + 1.0 / 12), 0.15 * sigma);
  }
}

TEST(Artefacts, CoarserCodecsLoseMore) {
  const media::Frame original = picture();
  double before = 0;
  for (const int quality : {95, 60, 20}) {
    media::Frame frame = original;
    jpeg_round_trip(quality, frame);
    ASSERT_EQ(frame.rgb.size(), original.rgb.size());
    EXPECT_GT(difference(frame, original), before);
    before = difference(frame, original);
  }
  before = 0;
  for (const double step : {4.0, 16.0, 60.0}) {
    media::Frame frame = original;
    Rng rng(1);
    dct_round_trip(rng, step, frame);
    EXPECT_GT(difference(frame, original), before);
    before = difference(frame, original);
  }
  EXPECT_LT(before, 12);  // still the same picture
}

TEST(Artefacts, RawClipsStandStillAndCodedOnesDoNot) {
  SynthOptions options;
  options.mixture = {{"video.colour", {"f5"}, 1}};
  const auto changed =
      [&](Codec codec) {  // share of pixels that differ between the first frames, over some clips
        options.codec = codec;
        options.sensor_noise.reset();
        const Generator generator(options);
        int64_t differing = 0, all = 0;
        for (uint64_t i = 0; i < 12; ++i) {
          const Sample sample = generator.sample(i);
          for (size_t at = 0; at < sample.frames[0].rgb.size(); ++at, ++all)
            differing += sample.frames[0].rgb[at] != sample.frames[1].rgb[at] ? 1 : 0;
        }
        return static_cast<double>(differing) / static_cast<double>(all);
      };
  EXPECT_LT(changed(Codec::kRaw), 0.12);
  EXPECT_GT(changed(Codec::kDct), 0.2);
  EXPECT_GT(changed(Codec::kH264), changed(Codec::kRaw));
}

TEST(Artefacts, StaticShareAndPanMoveTheBackground) {
  SynthOptions options;
  options.codec = Codec::kRaw;
  options.sensor_noise = 0;
  options.background_level = 3;
  const auto changed = [&] {
    const Sample sample = Generator(options).sample("video.colour", "f5", 1);
    int64_t differing = 0;
    const auto &a = sample.frames[0].rgb, &b = sample.frames[1].rgb;
    for (size_t at = 0; at < a.size(); at += 3) differing += a[at] != b[at] ? 1 : 0;
    return 3.0 * static_cast<double>(differing) / static_cast<double>(a.size());
  };
  const double still = changed();
  options.static_share = 0.5;
  EXPECT_NEAR(changed(), 0.5 + still / 2, 0.12);
  options.static_share = 0;
  EXPECT_GT(changed(), 0.9);
}

}  // namespace
}  // namespace vl3::test
