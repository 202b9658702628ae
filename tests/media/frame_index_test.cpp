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

// FFmpeg takes the place where the data stop for the end of the video.
TEST(FrameIndex, NoticesThatTheTailIsMissing) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string input = pattern(160, 120, "25", "6");
  const std::string sound = "-f lavfi -i sine=d=6 ";
  const std::string x264 = "-vf format=yuv420p -c:v libx264 -bf 2 -g 25 ";
  struct Case {
    std::string name, arguments;
    bool garbage;  // noticed when the tail is overwritten, too; in MP4 it is noticed while decoding
  };
  const std::vector<Case> cases = {
      {"a.mp4", input + x264 + "-movflags +faststart", false},
      {"fragments.mp4", input + x264 + "-movflags frag_keyframe+empty_moov", false},
      {"sound.mp4", input + sound + x264 + "-c:a aac -movflags +faststart", false},
      {"a.mkv", input + x264, true},
      {"sound.mkv", input + sound + x264 + "-c:a aac", true},
      {"a.ts", input + x264, true},
      {"a.m2ts", input + x264 + "-f mpegts -mpegts_m2ts_mode 1", true},
      {"a.avi", input + "-c:v mpeg4", true},
      {"a.flv", input + x264, false},
  };
  for (const Case& c : cases) {
    const std::string bytes = test::read_bytes(make_media(dir, c.name, c.arguments));
    const FrameIndex whole = build_frame_index(media_from_bytes(bytes, c.name));
    EXPECT_EQ(whole.warning, "") << c.name;
    EXPECT_FALSE(whole.damaged) << c.name;
    for (const double part : {0.6, 0.9}) {
      const auto size = static_cast<size_t>(static_cast<double>(bytes.size()) * part) | 1;
      const FrameIndex cut = build_frame_index(media_from_bytes(bytes.substr(0, size), c.name));
      EXPECT_NE(cut.warning.find(c.name + ": broken or cut off after"), std::string::npos)
          << c.name << " of " << part << ": " << cut.size() << " frames, " << cut.warning;
      EXPECT_TRUE(cut.damaged);
    }
    if (!c.garbage) continue;
    std::string broken = bytes;
    uint32_t random = 1;
    for (size_t i = bytes.size() * 6 / 10; i < bytes.size(); ++i) {
      random = random * 1664525 + 1013904223;
      broken[i] = static_cast<char>(random >> 24);
    }
    EXPECT_NE(build_frame_index(media_from_bytes(broken, c.name)).warning, "") << c.name;
  }
}

TEST(FrameIndex, WarnsOfNoWholeVideo) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string input = pattern(64, 48, "25", "4");
  const std::string x264 = "-vf format=yuv420p -c:v libx264 -bf 2 -g 25 ";
  const std::string uneven =
      "-vf \"select='not(mod(n,7))+lt(n,30)',setpts='PTS+gt(N,33)*1.5/TB',format=yuv420p\" -vsync vfr "
      "-c:v libx264 ";
  const std::string longer_sound = "-f lavfi -i sine=d=9 -c:a aac ";
  std::vector<std::filesystem::path> files;
  for (const std::string name : {"mp4", "mkv", "ts", "avi", "flv", "mov", "h264"}) {
    files.push_back(make_media(dir, "a." + name, input + x264));
    if (name == "h264") continue;
    files.push_back(make_media(dir, "uneven." + name, input + uneven));
    files.push_back(make_media(dir, "sound." + name,
                               input + longer_sound + x264 + (name == "avi" ? "-c:a pcm_s16le -ac 2" : "")));
    files.push_back(
        make_media(dir, "late." + name, "-itsoffset 2.5 -i " + (dir / "a.mp4").string() + " -c copy"));
    files.push_back(make_media(dir, "cut." + name, "-ss 1.35 -i " + (dir / "a.mp4").string() + " -c copy"));
    files.push_back(make_media(dir, "short." + name, "-i " + (dir / "a.mp4").string() + " -t 1.7 -c copy"));
  }
  files.push_back(make_media(dir, "live.mkv", input + x264 + "-live 1"));
  files.push_back(
      make_media(dir, "tagless.mkv", "-i " + (dir / "sound.mkv").string() + " -c copy -bitexact"));
  files.push_back(make_media(dir, "fragments.mp4", input + x264 + "-movflags frag_keyframe+empty_moov"));
  files.push_back(make_media(dir, "a.gif", input));
  for (const std::filesystem::path& path : files) {
    EXPECT_EQ(build_frame_index(open_media(path.string())).warning, "") << path;
  }
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
