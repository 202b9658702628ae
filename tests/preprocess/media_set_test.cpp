#include "preprocess/media_set.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "media/media_tools.h"

namespace vl3::preprocess {
namespace {

using std::literals::string_literals::operator""s;
using test::make_media;
using test::make_png;
using test::pattern;
using test::TempDir;

MediaEntry open_video(const std::string& reference, int64_t max_frames = 180) {
  text::ContentPart part = text::video_part(reference);
  part.max_frames = max_frames;
  text::Conversation conversation = {{text::Role::kUser, {part}, false}};
  return open_media_set(conversation, {}, {.decoder_threads = 1}).at(0);
}

// A picture written over in place leaves its folder as it was.
TEST(MediaSet, TheKeyOfAFolderCountsEveryPicture) {
  const TempDir dir;
  const auto overwrite = [&](const std::string& name, char value) {
    dir.write(name, make_png(1, 1, 8, 0, "\0"s + value));
    // Writes within one tick of the clock could not be told apart.
    std::filesystem::last_write_time(dir / name,
                                     std::filesystem::file_time_type(std::chrono::seconds(value)));
  };
  for (const char* name : {"0.png", "1.png", "2.png", "3.png"}) overwrite(name, 1);
  const std::string before = open_video(dir.path().string()).key;
  EXPECT_EQ(open_video(dir.path().string()).key, before);
  overwrite("2.png", 2);
  const std::string after = open_video(dir.path().string()).key;
  EXPECT_NE(after, before);
  std::filesystem::rename(dir / "3.png", dir / "4.png");
  EXPECT_NE(open_video(dir.path().string()).key, after);
}

TEST(MediaSet, WarningsReachTheEntry) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string x264 = "-vf format=yuv420p -c:v libx264 -g 10 ";
  const std::string mkv = test::read_bytes(make_media(dir, "a.mkv", pattern(160, 120, "10", "10") + x264));
  EXPECT_TRUE(open_video((dir / "a.mkv").string()).warnings->list().empty());
  const MediaEntry cut = open_video(dir.write("cut.mkv", mkv.substr(0, mkv.size() / 2)).string());
  ASSERT_EQ(cut.warnings->list().size(), 1u);
  EXPECT_NE(cut.warnings->list()[0].find("cut.mkv: broken or cut off"), std::string::npos);

  std::string broken = test::read_bytes(
      make_media(dir, "a.mp4", pattern(160, 120, "10", "10") + x264 + "-movflags +faststart"));
  for (size_t i = broken.size() / 2; i < broken.size() / 2 + 3000; ++i) broken[i] = '\xff';
  const MediaEntry entry = open_video(dir.write("broken.mp4", broken).string());
  EXPECT_TRUE(entry.warnings->list().empty());  // nothing was decoded
  for (int opened = 0; opened < 2; ++opened) {
    const media::FrameSource source = entry.open();
    for (int64_t i = 0; i < entry.shape.frames; ++i) ASSERT_TRUE(source().has_value());
    ASSERT_EQ(entry.warnings->list().size(), 1u);
    EXPECT_NE(entry.warnings->list()[0].find("packets did not decode"), std::string::npos);
  }
}

// They used to be parsed, then passed over.
TEST(MediaSet, RefusesWhatDoesNotGoWithAFileOrWithFrames) {
  using Set = void (*)(text::ContentPart&);
  const TempDir dir;
  const std::string gif = dir.write("a.gif", test::make_gif(3)).string();
  const std::string png = dir.write("a.png", make_png(1, 1, 8, 0, "\0\1"s)).string();
  const auto error = [&](text::ContentPart part, Flow flow, Set set) {
    set(part);
    text::Conversation conversation = {{text::Role::kUser, {part}, false}};
    weights::PreprocessConfig config;
    config.flow = flow;
    return test::error_of([&] { open_media_set(conversation, config, {}); });
  };
  const text::ContentPart file = text::video_part(gif);
  text::ContentPart frames = text::video_part("");
  frames.frames = {png, png};
  const Set timestamps = [](auto& part) { part.timestamps = {1, 2}; };
  const Set sampling[] = {[](auto& part) { part.fps = 2; }, [](auto& part) { part.max_frames = 2; },
                          [](auto& part) { part.start = 1; }, [](auto& part) { part.end = 1; }};
  for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
    EXPECT_NE(error(file, flow, timestamps).find("a.gif: timestamps go with a list"), std::string::npos);
    EXPECT_EQ(error(frames, flow, timestamps), "");
    for (const Set set : sampling)
      EXPECT_NE(error(frames, flow, set).find("2 pictures: fps, max_frames, start and end choose"),
                std::string::npos);
    EXPECT_EQ(error(frames, flow, [](auto& part) { part.fps = 2, part.source = "clip.mp4"; }), "");
  }
  EXPECT_NE(error(file, Flow::kRemote, [](auto& part) { part.num_frames = 2; }).find("takes max_frames"),
            std::string::npos);
  EXPECT_NE(
      error(file, Flow::kNative, [](auto& part) { part.num_frames = 2, part.fps = 1; }).find("leave fps"),
      std::string::npos);
}

TEST(MediaSet, NumFramesOfAFileInTheNativeFlow) {
  const TempDir dir;
  text::ContentPart part = text::video_part(dir.write("a.gif", test::make_gif(3)).string());
  part.num_frames = 2;
  text::Conversation conversation = {{text::Role::kUser, {part}, false}};
  weights::PreprocessConfig config;
  config.flow = Flow::kNative;
  const MediaEntry entry = open_media_set(conversation, config, {}).at(0);
  EXPECT_EQ(entry.shape.frames, 2);
  EXPECT_EQ(entry.source_index, (std::vector<int64_t>{0, 1}));
}

TEST(MediaSet, NamesArePrintable) {
  const TempDir dir;
  const std::string odd = dir.write("a\x1b[31m\n.gif", test::make_gif(3)).string();
  EXPECT_TRUE(open_video(odd).name.ends_with("a\\x1b[31m .gif")) << open_video(odd).name;
}

}  // namespace
}  // namespace vl3::preprocess
