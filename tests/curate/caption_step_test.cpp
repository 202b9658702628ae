// New captions through the whole pipeline, with a stand-in for the engine.
#include "curate/caption_step.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "curate/pictures.h"
#include "synth/video_encoder.h"

namespace vl3::curate {
namespace {

using test::config_for;
using test::run;
using test::TempDir;

const Steps kScore{true, false, false, false}, kCaption{false, true, true, false},
    kMerge{false, true, true, true};
const std::vector<std::string> kShort = {"model=default", "caption.short_caption=true", "caption.batch=2",
                                         "export.caption=short"};

// Answers the prompt and the file's name. `before` is called with each batch.
class NameCaptioner : public Captioner {
 public:
  explicit NameCaptioner(std::function<void()> before) : before_(std::move(before)) {}
  std::vector<CaptionReply> caption(const std::vector<CaptionRequest>& requests) override {
    if (before_) before_();
    std::vector<CaptionReply> replies;
    for (const CaptionRequest& request : requests) {
      const std::string name = std::filesystem::path(request.media).stem();
      replies.push_back({request.prompt + " " + name, "stop", ""});
    }
    return replies;
  }

 private:
  std::function<void()> before_;
};

CurateHooks hooks_with(const std::function<void()>& before = {}) {
  CurateHooks hooks;
  hooks.captioner = [before](const CurateConfig&) { return std::make_unique<NameCaptioner>(before); };
  return hooks;
}

// The second was told that another process was making the folder's results.
TEST(CaptionStep, SharesAreCaptionedAtTheSameTime) {
  const TempDir dir, whole;
  for (const TempDir* each : {&dir, &whole}) test::write_collection(*each, 40);
  run(config_for(whole, kShort), {}, {}, hooks_with());
  run(config_for(dir, kShort), kScore);
  std::atomic<int> arrived{0};
  const auto meet = [&arrived] {  // each share's captioner waits until the other has begun
    ++arrived;
    for (int i = 0; i < 2000 && arrived < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  };
  std::vector<CaptionCounts> counts(2);
  {
    std::vector<std::jthread> processes;
    for (int64_t share = 0; share < 2; ++share) {
      processes.emplace_back([&, share] {
        auto met = std::make_shared<bool>(false);
        const auto once = [&meet, met] {
          if (!std::exchange(*met, true)) meet();
        };
        counts[static_cast<size_t>(share)] =
            run(config_for(dir, kShort), kCaption, {share, 2}, hooks_with(once)).captions;
      });
    }
  }
  EXPECT_EQ(arrived, 2);
  EXPECT_EQ(counts[0].made, 24);  // shards of 8: three and two
  EXPECT_EQ(counts[1].made, 16);
  CurateHooks nobody = hooks_with([] { FAIL() << "all is captioned already"; });
  EXPECT_EQ(run(config_for(dir, kShort), kMerge, {}, nobody).captions.made, 0);
  for (const char* file : {"out/kept.jsonl", "out/train.jsonl"})
    EXPECT_EQ(test::lines_of(dir / file), test::lines_of(whole / file)) << file;
}

// It was asked only between shards, and what the shard had was lost.
TEST(CaptionStep, StopsBetweenBatchesAndKeepsWhatIsMade) {
  const TempDir dir;
  test::write_collection(dir, 8);  // one shard
  int batches = 0;
  CurateHooks hooks = hooks_with([&] { ++batches; });
  hooks.cancelled = [&] { return batches == 2; };
  const std::string stopped = test::error_of([&] { run(config_for(dir, kShort), {}, {}, hooks); });
  EXPECT_NE(stopped.find("stopped while captioning"), std::string::npos) << stopped;
  EXPECT_EQ(batches, 2);
  hooks.cancelled = {};
  std::vector<std::pair<int64_t, int64_t>> shown;
  hooks.step_progress = [&](const char* step, int64_t done, int64_t total) {
    if (std::string(step) == "captions") shown.emplace_back(done, total);
  };
  EXPECT_EQ(run(config_for(dir, kShort), {}, {}, hooks).captions.made, 4);
  EXPECT_EQ(shown, (std::vector<std::pair<int64_t, int64_t>>{{6, 8}, {8, 8}}));
}

TEST(CaptionStep, WhatIsMadeOutlivesACaptionerThatFails) {
  const TempDir dir;
  test::write_collection(dir, 8);
  int batches = 0;
  const CurateHooks broken = hooks_with([&] {
    if (++batches == 4) throw Error(ErrorCode::kInternal, "the engine is gone");
  });
  EXPECT_NE(test::error_of([&] { run(config_for(dir, kShort), {}, {}, broken); }).find("the engine is gone"),
            std::string::npos);
  EXPECT_EQ(run(config_for(dir, kShort), {}, {}, hooks_with()).captions.made, 2);
}

// Switching one form off threw its captions away.
TEST(CaptionStep, AFormThatIsNotWantedNowIsKept) {
  const TempDir dir;
  test::write_collection(dir, 4);
  std::vector<std::string> both = kShort;
  both.emplace_back("caption.detailed_caption=true");
  EXPECT_EQ(run(config_for(dir, both), {}, {}, hooks_with()).captions.made, 8);
  run(config_for(dir, kShort), {}, {}, hooks_with());
  EXPECT_FALSE(test::lines_of(dir / "out/kept.jsonl")[0].contains("detailed_caption"));
  EXPECT_EQ(run(config_for(dir, both), {}, {}, hooks_with()).captions.made, 0);
  EXPECT_TRUE(test::lines_of(dir / "out/kept.jsonl")[0].contains("detailed_caption"));
}

TEST(CaptionStep, WhatAKilledRunLeftHalfWrittenGoes) {
  const TempDir dir;
  test::write_collection(dir, 4);
  run(config_for(dir, kShort), kScore);
  constexpr int kNoProcess = 0x7ffffffe;
  const std::string left = dir.write(fmt::format("out/work/captions/000000.jsonl.tmp-{}-0", kNoProcess), "{");
  run(config_for(dir, kShort), kCaption, {}, hooks_with());
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST(CaptionStep, AMediumThatIsGoneCostsItsOwnCaption) {
  const TempDir dir;
  test::write_collection(dir, 6);
  run(config_for(dir, kShort), kScore);
  std::filesystem::remove(dir / "in/media/003.jpg");
  const CaptionCounts counts = run(config_for(dir, kShort), kMerge, {}, hooks_with()).captions;
  EXPECT_EQ(counts.made, 5);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.first_error.find("missing"), 0u) << counts.first_error;
}

// Videos were asked to "describe the image".
TEST(CaptionStep, VideosAreAskedAboutVideos) {
  const TempDir dir;
  std::vector<media::Frame> frames;
  for (int i = 0; i < 12; ++i) {
    frames.push_back(test::draw(64, 96, [=](int y, int x, int) {
      const bool inside = y >= 24 && y < 40 && x >= 8 + 3 * i && x < 24 + 3 * i;
      return inside ? (x / 4 + y / 4) % 2 * 200 + 40 : 20;
    }));
  }
  (void)dir.write("in/clip.mp4", synth::encode_h264_mp4(frames, 4, 20));
  (void)dir.write("in/still.jpg", test::jpeg(test::scene(1)));
  (void)dir.write("in/items.jsonl", "{\"video\": \"clip.mp4\"}\n{\"image\": \"still.jpg\"}\n");
  std::vector<std::string> set = kShort;
  set.insert(set.end(), {"caption.detailed_caption=true", "caption.short_video_prompt=What happens?"});
  run(config_for(dir, set), {}, {}, hooks_with());
  const std::vector<Json> kept = test::lines_of(dir / "out/kept.jsonl");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].at("short_caption"), "What happens? clip");
  EXPECT_EQ(kept[0].at("detailed_caption"), "Describe the video in detail. clip");
  EXPECT_EQ(kept[1].at("short_caption"), "Describe the image in one short sentence. still");
  // Another question about pictures leaves the video's captions alone.
  set.emplace_back("caption.short_prompt=What is this?");
  EXPECT_EQ(run(config_for(dir, set), {}, {}, hooks_with()).captions.made, 1);
}

}  // namespace
}  // namespace vl3::curate
