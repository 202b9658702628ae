#include "media/sampled_reader.h"

#include <gtest/gtest.h>

#include "media/image_reader.h"
#include "media/media_tools.h"
#include "media/probe.h"
#include "media/video_reader.h"

namespace vl3::media {
namespace {

using std::literals::string_literals::operator""s;
using test::as_bytes;
using test::error_of;
using test::make_media;
using test::make_png;
using test::pattern;
using test::TempDir;

SampledFrames choose(const FrameIndex& index, const std::vector<int64_t>& sources) {
  SampledFrames frames;
  for (const int64_t i : sources) frames.push_back({i, index.seconds(i), static_cast<double>(i)});
  return frames;
}

std::vector<Frame> read_chosen(const MediaData& media, const std::vector<int64_t>& sources, bool seeking,
                               std::string* warning = nullptr, int threads = 2) {
  const FrameIndex index = build_frame_index(media);
  SampledReader reader(media, index, choose(index, sources), {},
                       {.decoder_threads = threads, .allow_seeking = seeking});
  std::vector<Frame> frames;
  while (std::optional<Frame> frame = reader.next()) {
    EXPECT_NEAR(reader.sampled().pts_s, frame->pts_s, 0.3);
    frames.push_back(std::move(*frame));
  }
  if (warning != nullptr) *warning = reader.warning();
  return frames;
}

// Whatever is chosen, seeking or not, the frames are those of a full decode.
TEST(SampledReader, EqualsAFullDecode) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string input = pattern(96, 64, "10", "12");
  struct Variant {
    std::string name, arguments;
  };
  std::vector<Variant> variants = {
      {"a.mp4", "-vf format=yuv420p -c:v libx264 -bf 2 -g 20"},
      {"a.mkv", "-vf format=yuv420p -c:v libx264 -bf 3 -g 30 -x264opts open-gop=1"},
      {"a.ts", "-vf format=yuv420p -c:v libx264 -bf 2 -g 20"},
      {"a.avi", "-vf format=yuv420p -c:v mpeg4 -bf 2 -g 20"},
      {"f.mp4", "-vf format=yuv420p -c:v libx264 -g 20 -movflags frag_keyframe+empty_moov"},
  };
  if (test::have_encoder("libvpx-vp9"))
    variants.push_back({"a.webm", "-vf format=yuv420p -c:v libvpx-vp9 -cpu-used 8 -g 25"});
  if (test::have_encoder("libx265"))
    variants.push_back({"h.mp4", "-vf format=yuv420p -c:v libx265 -x265-params log-level=none:keyint=30"});
  for (const Variant& variant : variants) {
    const MediaData media = open_media(make_media(dir, variant.name, input + variant.arguments).string());
    const std::vector<Frame> all = read_all_frames(media, 1000);
    ASSERT_EQ(all.size(), 120u) << variant.name;
    const std::vector<std::vector<int64_t>> choices = {
        {0}, {119}, {5, 6, 7}, {0, 39, 78, 119}, {60, 60, 61}, {59, 100, 101, 118}};
    for (const std::vector<int64_t>& choice : choices) {
      for (const bool seeking : {true, false}) {
        const std::vector<Frame> frames = read_chosen(media, choice, seeking);
        ASSERT_EQ(frames.size(), choice.size()) << variant.name;
        for (size_t i = 0; i < choice.size(); ++i) {
          EXPECT_TRUE(frames[i].rgb == all[static_cast<size_t>(choice[i])].rgb)
              << variant.name << " frame " << choice[i] << " seeking " << seeking;
        }
      }
    }
  }
}

TEST(SampledReader, WrongKeyframesFallBackToPlainDecoding) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const MediaData media = open_media(
      make_media(dir, "a.mp4", pattern(96, 64, "10", "12") + "-vf format=yuv420p -c:v libx264 -g 40")
          .string());
  const std::vector<Frame> all = read_all_frames(media, 1000);
  FrameIndex index = build_frame_index(media);
  index.keyframe.assign(index.keyframe.size(), 1);  // a lie: seeks land earlier than said
  SampledReader honest(media, index, choose(index, {30, 75, 110}));
  for (const size_t i : {30u, 75u, 110u}) EXPECT_TRUE(honest.next()->rgb == all[i].rgb);
  // An index of another file: no time fits.
  for (int64_t& pts : index.pts) pts += 7;
  SampledReader lost(media, index, choose(index, {30, 75, 110}));
  EXPECT_TRUE(lost.next().has_value());
}

TEST(SampledReader, ReadsFolders) {
  const TempDir dir;
  for (int i = 0; i < 7; ++i)
    dir.write(fmt::format("{:02}.png", i), make_png(1, 1, 8, 0, "\0"s + static_cast<char>(i)));
  const MediaData media = open_media(dir.path().string());
  const MediaInfo info = probe_media(media, Flow::kRemote);
  EXPECT_EQ(info.frames, 7);
  SampledReader reader(media, info.index, plan_frames(info.index, info.video, {}));
  EXPECT_EQ(reader.next()->rgb[0], 1);
  EXPECT_NEAR(reader.sampled().timestamp_s, 1 / 3.0, 1e-12);
  EXPECT_EQ(reader.next()->rgb[0], 4);
  EXPECT_FALSE(reader.next().has_value());
  dir.write("04.png", make_png(2, 1, 8, 0, "\0\1\2"s));
  SampledReader mixed(media, info.index, plan_frames(info.index, info.video, {}));
  EXPECT_TRUE(mixed.next().has_value());
  EXPECT_NE(error_of([&] { mixed.next(); }).find("frames of a video are of one size"), std::string::npos);
}

// The data is cut at several places; the frames before are as they were, and a warning tells.
TEST(SampledReader, ACorruptTailGivesTheFramesBeforeIt) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  for (const std::string name : {"a.mp4", "a.mkv", "a.ts"}) {
    const std::string flags = name == "a.mp4" ? " -movflags +faststart" : "";
    const std::filesystem::path path = make_media(
        dir, name, pattern(160, 120, "10", "10") + "-vf format=yuv420p -c:v libx264 -g 10 -bf 2" + flags);
    const std::string bytes = test::read_bytes(path);
    const std::vector<Frame> all = read_all_frames(open_media(path.string()), 1000);
    for (const double part : {0.5, 0.8}) {
      const MediaData cut = media_from_bytes(
          bytes.substr(0, static_cast<size_t>(static_cast<double>(bytes.size()) * part)), name);
      const MediaInfo info = probe_media(cut, Flow::kRemote);
      EXPECT_LT(info.frames, 100) << name;
      const SampledFrames plan = plan_frames(info.index, info.video, {});
      SampledReader reader(cut, info.index, plan);
      int count = 0;
      while (std::optional<Frame> frame = reader.next()) {
        const auto source = static_cast<size_t>(reader.sampled().source_index);
        if (source + 15 < static_cast<size_t>(info.frames)) {
          EXPECT_TRUE(frame->rgb == all[source].rgb) << name << source;
        }
        ++count;
      }
      EXPECT_GE(count, 3) << name;
    }
  }
}

// One thread here and below: with more, FFmpeg does not flag the damage every time.
TEST(SampledReader, DamageInsideIsPassedOverWithAWarning) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::filesystem::path path = make_media(
      dir, "a.mp4",
      pattern(160, 120, "10", "10") + "-vf format=yuv420p -c:v libx264 -g 10 -movflags +faststart");
  std::string bytes = test::read_bytes(path);
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 3000; ++i) bytes[i] = '\xff';
  const MediaData broken = media_from_bytes(bytes, "broken");
  std::string warning;
  std::vector<int64_t> every(100);
  for (size_t i = 0; i < 100; ++i) every[i] = static_cast<int64_t>(i);
  const std::vector<Frame> frames = read_chosen(broken, every, true, &warning, /*threads=*/1);
  EXPECT_GE(frames.size(), 80u);
  EXPECT_NE(warning.find("broken: broken or cut off"), std::string::npos) << warning;
}

// Who reads no more than the frames that were planned hears of it, too.
TEST(SampledReader, TheWarningIsThereWithTheLastFrame) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  std::string bytes = test::read_bytes(make_media(
      dir, "a.mp4",
      pattern(160, 120, "10", "10") + "-vf format=yuv420p -c:v libx264 -g 10 -movflags +faststart"));
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 3000; ++i) bytes[i] = '\xff';
  const MediaData broken = media_from_bytes(bytes, "broken");
  const FrameIndex index = build_frame_index(broken);
  for (int round = 0; round < 20; ++round) {
    SampledReader reader(broken, index, choose(index, {0, 40, 80, 99}), {},
                         {.decoder_threads = 1, .allow_seeking = false});
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(reader.next().has_value());
    EXPECT_NE(reader.warning(), "");
  }
}

TEST(SampledReader, NothingDecodableIsAnError) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::filesystem::path path = make_media(
      dir, "a.mp4", pattern(160, 120, "10", "3") + "-vf format=yuv420p -c:v libx264 -movflags +faststart");
  std::string bytes = test::read_bytes(path);
  const size_t data = bytes.find("mdat") + 4;
  ASSERT_LT(data, bytes.size());
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(data), bytes.end(), '\0');
  const MediaData media = media_from_bytes(bytes, "zeros");
  const std::string error = error_of([&] {
    const FrameIndex index = build_frame_index(media);
    SampledReader reader(media, index, choose(index, {0, 10, 20}));
    while (reader.next()) {
    }
  });
  EXPECT_NE(error.find("corrupt"), std::string::npos) << error;
}

TEST(SampledReader, StopsWheneverAsked) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const MediaData media = open_media(
      make_media(dir, "a.mp4", pattern(320, 240, "25", "8") + "-vf format=yuv420p -c:v libx264").string());
  const FrameIndex index = build_frame_index(media);
  std::vector<int64_t> all(static_cast<size_t>(index.size()));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  { const SampledReader unread(media, index, choose(index, all)); }
  {
    SampledReader reader(media, index, choose(index, all), {}, {.queue_frames = 1});
    EXPECT_TRUE(reader.next().has_value());
    reader.cancel();
    EXPECT_NE(error_of([&] { reader.next(); }).find("cancelled"), std::string::npos);
  }
}

TEST(SampledReader, ChecksItsArguments) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const MediaData media = open_media(
      make_media(dir, "a.mp4", pattern(96, 64, "10", "1") + "-vf format=yuv420p -c:v libx264").string());
  const FrameIndex index = build_frame_index(media);
  EXPECT_NE(error_of([&] { SampledReader(media, index, {}); }).find("no frames chosen"), std::string::npos);
  EXPECT_NE(error_of([&] {
              SampledReader(media, index, {{10, 0, 0}});
            }).find("beyond 10"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              SampledReader(media, index, {{5, 0, 0}, {4, 0, 0}});
            }).find("out of order"),
            std::string::npos);
}

TEST(SampledReader, SaysHowManyFramesThereAreAtMost) {
  EXPECT_EQ(SampledReader::most_frames(uint64_t{3} * 1920 * 1080), 5);
  EXPECT_EQ(SampledReader::most_frames(uint64_t{3} * 7680 * 4320), 2);  // the queue's bytes let one in
  EXPECT_EQ(SampledReader::most_frames(100, {.queue_frames = 1}), 2);
}

// Peak memory in kB of reading the whole video.
int64_t peak_of_reading(const std::string& path) {
  return test::peak_kb([&] {
    const MediaData media = open_media(path);
    const MediaInfo info = probe_media(media, Flow::kRemote);
    SampleOptions options;
    options.max_frames = 100000;
    SampledReader reader(media, info.index, plan_frames(info.index, info.video, options));
    while (reader.next()) {
    }
  });
}

// Ten minutes take the memory of ten seconds: 600 frames of 230 kB each are read.
TEST(SampledReader, MemoryDoesNotGrowWithLength) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps what is freed";
#endif
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string x264 = "-vf format=yuv420p -c:v libx264 -preset ultrafast";
  const int64_t brief =
      peak_of_reading(make_media(dir, "short.mp4", pattern(320, 240, "5", "10") + x264).string());
  const int64_t lengthy =
      peak_of_reading(make_media(dir, "long.mp4", pattern(320, 240, "5", "600") + x264).string());
  ASSERT_GT(brief, 0);
  ASSERT_GT(lengthy, 0);
  EXPECT_LT(lengthy - brief, 16 * 1024) << brief << " kB and " << lengthy << " kB";
}

}  // namespace
}  // namespace vl3::media
