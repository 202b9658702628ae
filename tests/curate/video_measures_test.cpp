#include "curate/video_measures.h"

#include <gtest/gtest.h>

#include "curate/pictures.h"
#include "synth/video_encoder.h"

namespace vl3::curate {
namespace {

// A bright square with texture that moves `speed` pixels a frame over a ground of its own colour.
media::Frame moving(int frame, int speed, int ground) {
  return test::draw(64, 96, [=](int y, int x, int c) {
    const int left = 8 + frame * speed;
    const bool inside = y >= 24 && y < 40 && x >= left && x < left + 16;
    return inside ? ((x - left) / 4 + y / 4) % 2 * 200 + 40 : ground + (c == 1 ? 60 : 0);
  });
}

VideoMeasures meter(const std::vector<media::Frame>& frames, double fps, VideoConfig config = {}) {
  FrameMeter meter(config);
  for (size_t i = 0; i < frames.size(); ++i) meter.add(frames[i], static_cast<double>(i) / fps);
  return meter.finish(static_cast<double>(frames.size()) / fps);
}

TEST(VideoMeasures, MotionIsInPictureWidthsASecond) {
  std::vector<media::Frame> frames;
  for (int i = 0; i < 8; ++i) frames.push_back(moving(i, 2, 20));
  const VideoMeasures measures = meter(frames, 2);
  EXPECT_EQ(measures.cuts, 0);
  // The blocks of the square move 2 of 96 pixels a frame, two frames a second; those on its edge may look
  // still.
  EXPECT_GT(measures.motion, 0.4 * 2 * 2 / 96.0);
  EXPECT_LE(measures.motion, 1.5 * 2 * 2 / 96.0);
  EXPECT_EQ(measures.clip_start_s, 0);
  EXPECT_EQ(measures.clip_end_s, 4);
}

TEST(VideoMeasures, StillFramesAreStatic) {
  const VideoMeasures still = meter(std::vector<media::Frame>(6, moving(0, 0, 20)), 2);
  EXPECT_EQ(still.static_share, 1);
  EXPECT_EQ(still.motion, 0);
  EXPECT_EQ(meter({moving(0, 0, 20)}, 2).static_share, 1);
}

TEST(VideoMeasures, CutsAreFoundAndTheLivelierSceneIsChosen) {
  std::vector<media::Frame> frames;
  for (int i = 0; i < 6; ++i) frames.push_back(moving(0, 0, 10));
  for (int i = 0; i < 6; ++i) frames.push_back(moving(i, 3, 180));
  const VideoMeasures measures = meter(frames, 2);
  EXPECT_EQ(measures.cuts, 1);
  EXPECT_EQ(measures.clip_start_s, 3);
  EXPECT_EQ(measures.clip_end_s, 6);
}

TEST(VideoMeasures, ClipsAreNoLongerAndNoShorterThanAllowed) {
  std::vector<media::Frame> frames;
  for (int i = 0; i < 20; ++i) frames.push_back(moving(i < 10 ? 0 : i - 10, 3, 20));
  VideoConfig config;
  config.max_clip_s = 4;
  const VideoMeasures measures = meter(frames, 2, config);
  EXPECT_EQ(measures.clip_end_s - measures.clip_start_s, 4);
  EXPECT_GE(measures.clip_start_s, 4);  // where something moves
  config.min_clip_s = 60;
  config.max_clip_s = 90;
  EXPECT_EQ(meter(frames, 2, config).clip_end_s, 0);
}

TEST(VideoMeasures, AVideoFileGoesThroughThePipeline) {
  const test::TempDir dir;
  std::vector<media::Frame> frames, still(12, moving(0, 0, 20));
  for (int i = 0; i < 12; ++i) frames.push_back(moving(i, 3, 20));
  (void)dir.write("in/a.mp4", synth::encode_h264_mp4(frames, 4, 20));
  (void)dir.write("in/b.mp4", synth::encode_h264_mp4(still, 4, 20));
  (void)dir.write(
      "in/items.jsonl",
      "{\"video\": [\"a.mp4\"], \"caption\": \"A square moves right\"}\n{\"video\": \"b.mp4\"}\n");
  test::run(test::config_for(dir));
  EXPECT_EQ(test::reasons(dir, 2), (std::vector<std::string>{"", "static_video"}));
  const Json kept = test::lines_of(dir / "out/kept.jsonl").at(0);
  EXPECT_EQ(kept.at("kind"), "video");
  EXPECT_NEAR(kept.at("clip")[1].get<double>(), 3, 0.3);
}

}  // namespace
}  // namespace vl3::curate
