#include "synth/video_encoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "media/video_reader.h"
#include "support/temp_dir.h"
#include "synth/generator.h"
#include "synth/walk.h"

namespace vl3::test {
namespace {

using namespace synth;

std::vector<media::Frame> clip() {
  SynthOptions options;
  options.codec = Codec::kRaw;
  options.sensor_noise = 0;
  return Generator(options).sample("video.direction", "f8", 2).frames;
}

TEST(VideoEncoder, WritesWhatTheReaderReads) {
  const std::vector<media::Frame> frames = clip();
  const std::string bytes = encode_h264_mp4(frames, 4, 18);
  EXPECT_EQ(bytes, encode_h264_mp4(frames, 4, 18));
  const auto back = media::read_all_frames(media::media_from_bytes(bytes, "clip.mp4"), 100);
  ASSERT_EQ(back.size(), frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_NEAR(back[i].pts_s, static_cast<double>(i) / 4, 1e-6);
    ASSERT_EQ(back[i].width, frames[i].width);
    ASSERT_EQ(back[i].height, frames[i].height);
    double sum = 0;
    for (size_t at = 0; at < frames[i].rgb.size(); ++at) sum += std::abs(back[i].rgb[at] - frames[i].rgb[at]);
    EXPECT_LT(sum / static_cast<double>(frames[i].rgb.size()), 6);  // wrong colours would be far off
  }
  EXPECT_GT(bytes.size(), encode_h264_mp4(frames, 4, 40).size());
}

TEST(VideoEncoder, RoundTripKeepsSizesAndTimes) {
  std::vector<media::Frame> frames = clip();
  const std::vector<media::Frame> before = frames;
  h264_round_trip(frames, 1, 30);
  ASSERT_EQ(frames.size(), before.size());
  bool differs = false;
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i].pts_s, before[i].pts_s);
    EXPECT_EQ(frames[i].rgb.size(), before[i].rgb.size());
    differs = differs || frames[i].rgb != before[i].rgb;
  }
  EXPECT_TRUE(differs);
}

TEST(VideoEncoder, RefusesWhatIsNoClip) {
  EXPECT_TRUE(says(error_of([] { encode_h264_mp4({}, 1, 20); }), "a clip needs frames"));
  auto frames = clip();
  EXPECT_TRUE(says(error_of([&] { encode_h264_mp4(frames, 0, 20); }), "a rate above 0"));
  frames[1].width -= 2;
  EXPECT_TRUE(says(error_of([&] { encode_h264_mp4(frames, 1, 20); }), "differ in size"));
}

}  // namespace
}  // namespace vl3::test
