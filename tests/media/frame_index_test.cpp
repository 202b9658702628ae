#include "media/frame_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "media/media_tools.h"
#include "media/video_reader.h"

namespace vl3::media {
namespace {

using test::error_of;
using test::make_media;
using test::pattern;
using test::TempDir;

// Without decoding, the index foretells the times of all decoded frames.
void expect_foretells(const std::filesystem::path& path) {
  const MediaData media = open_media(path.string());
  const FrameIndex index = build_frame_index(media);
  EXPECT_TRUE(std::is_sorted(index.pts.begin(), index.pts.end()));
  VideoReader reader(media);
  int64_t count = 0;
  while (reader.next() != nullptr) {
    ASSERT_LT(count, index.size()) << path;
    if (index.exact) {
      EXPECT_EQ(reader.pts(), index.pts[static_cast<size_t>(count)]) << path << " frame " << count;
    }
    ++count;
  }
  EXPECT_EQ(count, index.size()) << path;
}

TEST(FrameIndex, ForetellsTimesOfManyContainers) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string input = pattern(160, 120, "10", "3");
  const std::string x264 = "-vf format=yuv420p -c:v libx264 -bf 2 -g 12";
  for (const char* name : {"a.mp4", "a.mkv", "a.ts", "a.avi", "a.flv", "a.h264", "a.mov"}) {
    expect_foretells(make_media(dir, name, input + x264));
  }
  expect_foretells(make_media(dir, "gaps.mp4",
                              input + "-vf \"select='not(mod(n,3))+gt(n,20)',setpts='PTS+gt(N,8)*0.7/TB',"
                                      "format=yuv420p\" -vsync vfr -c:v libx264 -bf 2"));
  expect_foretells(make_media(dir, "cut.mp4", "-ss 1.35 -i " + (dir / "a.mp4").string() + " -c copy"));
}

TEST(FrameIndex, KnowsKeyframes) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const FrameIndex index = build_frame_index(open_media(
      make_media(dir, "a.mp4",
                 pattern(160, 120, "10", "3") + "-vf format=yuv420p -c:v libx264 -g 10 -sc_threshold 0")
          .string()));
  ASSERT_EQ(index.size(), 30);
  for (size_t i = 0; i < 30; ++i) EXPECT_EQ(index.keyframe[i], i % 10 == 0 ? 1 : 0) << i;
  EXPECT_TRUE(index.seekable);
  EXPECT_NEAR(index.span_s(), 3.0, 1e-6);
  EXPECT_NEAR(index.seconds(29), 2.9, 1e-6);
}

TEST(FrameIndex, GivesADurationWhereTheContainerHasNone) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  // Written through a pipe, Matroska cannot come back to note its length.
  const std::string command = "ffmpeg -nostdin -loglevel error " + pattern(160, 120, "10", "2") +
                              "-vf format=yuv420p -c:v libx264 -f matroska - > " +
                              (dir / "pipe.mkv").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::filesystem::path path = dir / "pipe.mkv";
  const MediaData media = open_media(path.string());
  EXPECT_EQ(Demuxer(media, {}).info().duration_s, 0.0);
  EXPECT_NEAR(build_frame_index(media).span_s(), 2.0, 0.01);
}

TEST(FrameIndex, HoldsItsLimits) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const MediaData media = open_media(
      make_media(dir, "a.h264", pattern(160, 120, "10", "3") + "-vf format=yuv420p -c:v libx264").string());
  MediaLimits limits;
  limits.max_frames = 29;
  EXPECT_NE(error_of([&] { build_frame_index(media, limits); }).find("more than 29 frames"),
            std::string::npos);
  limits = {};
  limits.max_seconds = 2;
  EXPECT_NE(error_of([&] { build_frame_index(media, limits); }).find("the limit is 2"), std::string::npos);
}

}  // namespace
}  // namespace vl3::media
