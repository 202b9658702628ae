#include "media/probe.h"

#include <gtest/gtest.h>

#include "media/media_tools.h"

namespace vl3::media {
namespace {

using std::literals::string_literals::operator""s;
using test::error_of;
using test::make_gif;
using test::make_media;
using test::make_png;
using test::pattern;
using test::TempDir;

TEST(Probe, Images) {
  const MediaInfo info =
      probe_media(media_from_bytes(make_png(3, 2, 8, 0, std::string(8, '\0')), "p"), Flow::kRemote);
  EXPECT_EQ(info.kind, MediaKind::kImage);
  EXPECT_EQ(info.width, 3);
  EXPECT_EQ(info.height, 2);
  EXPECT_EQ(info.frames, 1);
  EXPECT_EQ(info.duration_s, 0.0);
}

TEST(Probe, Videos) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string path =
      make_media(dir, "a.mp4", pattern(160, 120, "10", "3") + "-vf format=yuv420p -c:v libx264").string();
  const MediaInfo info = probe_media(open_media(path), Flow::kNative);
  EXPECT_EQ(info.kind, MediaKind::kVideo);
  EXPECT_EQ(info.width, 160);
  EXPECT_EQ(info.height, 120);
  EXPECT_EQ(info.frames, 30);
  EXPECT_NEAR(info.duration_s, 3.0, 1e-6);
  EXPECT_EQ(info.index.size(), 30);
}

// A raw stream states neither length nor times.
TEST(Probe, FillsInWhatTheContainerLacks) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string path =
      make_media(dir, "a.h264", pattern(160, 120, "10", "3") + "-vf format=yuv420p -c:v libx264").string();
  const MediaInfo info = probe_media(open_media(path), Flow::kRemote);
  EXPECT_EQ(info.frames, 30);
  EXPECT_GT(info.duration_s, 0.0);
  EXPECT_GT(info.video.avg_fps, 0.0);
}

TEST(Probe, TheCallerMayForceTheKind) {
  const MediaData gif = media_from_bytes(make_gif(3), "g");
  EXPECT_EQ(probe_media(gif, Flow::kRemote).kind, MediaKind::kVideo);
  EXPECT_EQ(probe_media(gif, Flow::kRemote).frames, 3);
  EXPECT_EQ(probe_media(gif, Flow::kRemote, {}, MediaKind::kImage).frames, 1);
  const MediaData still = media_from_bytes(make_gif(1), "s");
  EXPECT_EQ(probe_media(still, Flow::kRemote).kind, MediaKind::kImage);
  EXPECT_EQ(probe_media(still, Flow::kRemote, {}, MediaKind::kVideo).frames, 1);
  EXPECT_NE(
      error_of([] { probe_media(media_from_bytes("GIF89a", "x"), Flow::kRemote, {}, MediaKind::kVideo); }),
      "");
}

// The warning is the caller's to show, once a question, however often the folder is read.
TEST(Probe, FoldersCountWhatIsNoPicture) {
  const TempDir dir;
  dir.write("1.png", make_png(1, 1, 8, 0, "\0\x07"s));
  const auto warning = [&] {
    return probe_media(open_media(dir.path().string()), Flow::kRemote).index.warning;
  };
  EXPECT_EQ(warning(), "");
  dir.write("notes.txt", "no picture");
  EXPECT_NE(warning().find(": 1 file is no picture and was left out"), std::string::npos);
  dir.write("more.txt", "no picture");
  EXPECT_NE(warning().find(": 2 files are no pictures and were left out"), std::string::npos);
}

TEST(Probe, Folders) {
  const TempDir dir;
  dir.write("b.png", make_png(1, 1, 8, 0, "\0\1"s));
  dir.write("a.png", make_png(4, 1, 8, 0, "\0\1\2\3\4"s));
  const MediaInfo info = probe_media(open_media(dir.path().string()), Flow::kRemote, {}, MediaKind::kVideo);
  EXPECT_EQ(info.kind, MediaKind::kFrameFolder);
  EXPECT_EQ(info.frames, 2);
  EXPECT_EQ(info.width, 4);
  EXPECT_NEAR(info.duration_s, 2 / 3.0, 1e-12);
}

}  // namespace
}  // namespace vl3::media
