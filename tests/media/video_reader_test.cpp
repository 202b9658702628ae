#include "media/video_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "core/json.h"
#include "media/image_reader.h"
#include "media/media_tools.h"

namespace vl3::media {
namespace {

using test::as_bytes;
using test::error_of;
using test::ffmpeg_rgb;
using test::golden_dir;
using test::make_media;
using test::pattern;
using test::TempDir;

constexpr const char* kQuietX265 = " -x265-params log-level=none";

TEST(GoldenVideo, DecodesTheListedFramesToTheByte) {
  const std::filesystem::path table = golden_dir() / "tables/mp4.json";
  if (!std::filesystem::exists(table)) GTEST_SKIP() << "no tables/mp4.json in " << golden_dir();
  const Json info = read_json_file(table);
  const std::filesystem::path path = golden_dir() / info.at("file").get<std::string>();
  ASSERT_TRUE(std::filesystem::exists(path)) << "mp4.json lists " << path;
  const std::vector<Frame> frames = read_all_frames(open_media(path.string()), 100000);
  EXPECT_EQ(frames.size(), info.at("decoded_frames").get<size_t>());
  const auto compare = [&](const Json& picture, size_t index) {
    const std::filesystem::path file = golden_dir() / picture.get<std::string>();
    ASSERT_TRUE(std::filesystem::exists(file)) << "mp4.json lists " << file;
    ASSERT_LT(index, frames.size());
    EXPECT_EQ(frames[index].height, info.at("height").get<int>());
    EXPECT_EQ(frames[index].width, info.at("width").get<int>());
    EXPECT_EQ(frames[index].rgb, read_image(open_media(file.string()), Flow::kRemote).rgb) << file;
  };
  for (size_t i = 0; i < info.at("first12").size(); ++i) compare(info.at("first12")[i], i);
  for (size_t i = 0; i < info.at("fps1_frames").size(); ++i) {
    compare(info.at("fps1_frames")[i], info.at("fps1_round_down_source_index")[i].get<size_t>());
  }
}

struct Variant {
  std::string name, encoder, arguments;
  int width, height;
};

void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }

class EveryFormat : public testing::TestWithParam<Variant> {};

// Codecs, containers, pixel formats and sizes: the same bytes as the ffmpeg program's.
TEST_P(EveryFormat, EqualsTheFfmpegProgram) {
  const Variant& v = GetParam();
  VL3_NEED_ENCODER(v.encoder);
  const TempDir dir;
  const std::string input = pattern(v.width, v.height, "10", "1.2");
  const std::filesystem::path path = make_media(dir, v.name, input + v.arguments + " -c:v " + v.encoder);
  const std::vector<Frame> frames = read_all_frames(open_media(path.string()), 1000);
  const std::string expected = ffmpeg_rgb("-i " + path.string() + " -map 0:v -fps_mode passthrough");
  EXPECT_EQ(frames[0].width, v.width);
  EXPECT_EQ(frames[0].height, v.height);
  EXPECT_TRUE(as_bytes(frames) == expected) << frames.size() << " frames";
  // From memory, too.
  const MediaData memory = media_from_bytes(test::read_bytes(path), "memory");
  EXPECT_TRUE(as_bytes(read_all_frames(memory, 1000)) == expected);
  EXPECT_EQ(sniff_media(memory), MediaKind::kVideo);
}

INSTANTIATE_TEST_SUITE_P(
    VideoReader, EveryFormat,
    testing::Values(
        Variant{"h264.mp4", "libx264", "-vf format=yuv420p -bf 2", 160, 120},
        Variant{"h264_odd.mp4", "libx264", "-vf format=yuv444p", 161, 121},
        Variant{"h264_422.mp4", "libx264", "-vf format=yuv422p", 160, 120},
        Variant{"h264_10.mkv", "libx264", "-vf format=yuv420p10le", 160, 120},
        Variant{"h264.ts", "libx264", "-vf format=yuv420p -bf 2", 160, 120},
        Variant{"h264.avi", "libx264", "-vf format=yuv420p -bf 2", 160, 120},
        Variant{"h264.flv", "libx264", "-vf format=yuv420p", 160, 120},
        Variant{"raw.h264", "libx264", "-vf format=yuv420p -bf 2", 160, 120},
        Variant{"fragments.mp4", "libx264", "-vf format=yuv420p -movflags frag_keyframe+empty_moov", 160,
                120},
        Variant{"full.mp4", "libx264", "-color_range pc -vf scale=out_range=full,format=yuv420p", 160, 120},
        Variant{"bt709.mp4", "libx264", "-vf scale=out_color_matrix=bt709,format=yuv420p -colorspace bt709",
                160, 120},
        Variant{"hevc.mp4", "libx265", std::string("-vf format=yuv420p") + kQuietX265, 160, 120},
        Variant{"hevc10.mp4", "libx265", std::string("-vf format=yuv420p10le") + kQuietX265, 160, 120},
        Variant{"vp9.webm", "libvpx-vp9", "-vf format=yuv420p -cpu-used 8", 161, 121},
        Variant{"vp9_alpha.webm", "libvpx-vp9", "-vf format=yuva420p -cpu-used 8", 130, 90},
        Variant{"vp8.webm", "libvpx", "-vf format=yuv420p", 160, 120},
        Variant{"av1.mp4", "libsvtav1", "-vf format=yuv420p -preset 12 -loglevel quiet", 160, 120},
        Variant{"mpeg4.mp4", "mpeg4", "-vf format=yuv420p", 161, 121},
        Variant{"mpeg4.avi", "mpeg4", "-vf format=yuv420p -bf 2", 160, 120},
        Variant{"mpeg2.mpg", "mpeg2video", "-vf fps=25,format=yuv420p -bf 2", 160, 120},
        Variant{"mjpeg.avi", "mjpeg", "-vf format=yuvj420p -q:v 3", 160, 120},
        Variant{"theora.ogv", "libtheora", "-vf format=yuv420p", 160, 120},
        Variant{"wmv.wmv", "wmv2", "-vf format=yuv420p", 160, 120},
        Variant{"animated.gif", "gif", "", 131, 91}, Variant{"rgb.mkv", "ffv1", "-pix_fmt bgr0", 33, 17},
        Variant{"grey.mkv", "ffv1", "-pix_fmt gray", 33, 17},
        Variant{"one.mkv", "ffv1", "-pix_fmt yuv420p", 1, 1},
        Variant{"tiny.mkv", "ffv1", "-pix_fmt yuv420p", 3, 5},
        Variant{"tiny.webm", "libvpx-vp9", "-vf format=yuv420p", 3, 5}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

// Rotation metadata, as the program's autorotate applies it, before the colour conversion.
TEST(VideoReader, RotatesAsTheFfmpegProgram) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  for (const std::string format : {"yuv420p", "yuv444p", "yuv420p10le"}) {
    const std::string size = format == "yuv444p" ? "161" : "160";
    const std::string plain =
        make_media(dir, "plain.mp4",
                   pattern(std::stoi(size), 120, "10", "0.5") + "-vf format=" + format + " -c:v libx264")
            .string();
    for (const int angle : {90, 180, 270}) {
      const std::string path =
          make_media(dir, "turned.mp4", fmt::format("-i {} -c copy -metadata:s:v:0 rotate={}", plain, angle))
              .string();
      const std::vector<Frame> frames = read_all_frames(open_media(path), 100);
      EXPECT_TRUE(as_bytes(frames) == ffmpeg_rgb("-i " + path + " -fps_mode passthrough")) << format << angle;
      const VideoInfo info = Demuxer(open_media(path), {}).info();
      EXPECT_EQ(info.width, frames[0].width);
      EXPECT_EQ(info.height, frames[0].height);
      EXPECT_EQ(info.height > info.width, angle != 180);
      EXPECT_NE(info.rotation, 0);
    }
  }
}

TEST(VideoReader, KeepsTheFirstSizeWhenTheStreamChangesIt) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string a = test::read_bytes(
      make_media(dir, "a.h264", pattern(160, 120, "10", "0.5") + "-vf format=yuv420p -c:v libx264"));
  const std::string b = test::read_bytes(
      make_media(dir, "b.h264", pattern(96, 80, "10", "0.5") + "-vf format=yuv420p -c:v libx264"));
  const std::filesystem::path both = dir.write("both.h264", a + b);
  const std::vector<Frame> frames = read_all_frames(open_media(both.string()), 100);
  ASSERT_EQ(frames.size(), 10u);
  EXPECT_EQ(frames[9].width, 160);
  EXPECT_TRUE(as_bytes(frames) == ffmpeg_rgb("-i " + both.string() + " -fps_mode passthrough"));
}

TEST(VideoReader, TellsWhatTheContainerSays) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string path =
      make_media(dir, "a.mp4",
                 pattern(160, 120, "10", "3") +
                     "-f lavfi -i sine=d=3 -map 0:v -map 1:a -vf format=yuv420p -c:v libx264")
          .string();
  const VideoInfo info = Demuxer(open_media(path), {}).info();
  EXPECT_NEAR(info.duration_s, 3.0, 0.1);
  EXPECT_EQ(info.start_s, 0.0);
  EXPECT_EQ(info.avg_fps, 10.0);
  EXPECT_EQ(info.frames, 30);
  EXPECT_EQ(info.streams, 2);
  EXPECT_EQ(info.codec, "h264");
}

TEST(VideoReader, HoldsItsLimits) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const MediaData media = open_media(
      make_media(dir, "a.mp4", pattern(160, 120, "10", "3") + "-vf format=yuv420p -c:v libx264").string());
  MediaLimits limits;
  limits.max_pixels = 160 * 120 - 1;
  EXPECT_NE(error_of([&] { VideoReader(media, limits); }).find("160 x 120 pixels, the limit is"),
            std::string::npos);
  limits = {};
  limits.max_seconds = 2;
  EXPECT_NE(error_of([&] { VideoReader(media, limits); }).find("the limit is 2"), std::string::npos);
  limits = {};
  limits.timeout_s = -1;
  EXPECT_NE(error_of([&] { VideoReader(media, limits); }).find("limit reached"), std::string::npos);
  EXPECT_NE(error_of([&] { read_all_frames(media, 5); }).find("more than 5 frames"), std::string::npos);
}

TEST(VideoReader, CancelsBetweenPackets) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const MediaData media = open_media(
      make_media(dir, "a.mp4", pattern(160, 120, "10", "3") + "-vf format=yuv420p -c:v libx264").string());
  std::atomic<bool> cancelled{false};
  VideoReader reader(media, {}, {.threads = 2, .cancelled = &cancelled});
  ASSERT_NE(reader.next(), nullptr);
  cancelled = true;
  EXPECT_NE(error_of([&] {
              while (reader.next() != nullptr) {
              }
            }).find("cancelled"),
            std::string::npos);
}

TEST(VideoReader, NamesFilesWithoutVideo) {
  VL3_NEED_ENCODER("flac");
  const TempDir dir;
  const std::string path = make_media(dir, "sound.mkv", "-f lavfi -i sine=d=1 -c:a flac").string();
  EXPECT_NE(error_of([&] { VideoReader reader(open_media(path)); }).find("has no video stream"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::media
