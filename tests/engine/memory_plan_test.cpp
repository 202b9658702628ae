#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "core/file.h"
#include "engine/golden_model.h"
#include "engine/out_of_memory.h"
#include "engine/still_memory.h"

namespace vl3 {
namespace {

using test::error_of;

Conversation clip() {
  return {user_message({video_part(test::golden_media("clip.mp4")), text_part("What?")})};
}

TEST(Plan, CountsWhatAnAskThenUses) {
  const Engine engine = test::load_tiny();
  const Plan plan = engine.plan(clip(), test::greedy(), /*measure_pruning=*/true);
  const Receipt receipt = engine.ask(clip(), test::greedy()).receipt;
  EXPECT_TRUE(plan.pruning_known);
  EXPECT_EQ(plan.prompt_tokens, receipt.prompt_tokens);
  EXPECT_EQ(plan.visual_tokens, receipt.visual_tokens);
  EXPECT_EQ(plan.visual_tokens_kept, receipt.visual_tokens_kept);
  EXPECT_TRUE(plan.fits);
}

TEST(Plan, SaysWhenTheMemoryIsTooSmall) {
  const Engine engine = test::load_tiny();
  AskOptions options = test::greedy();
  options.max_ram_bytes = 1 << 20;
  EXPECT_FALSE(engine.plan(clip(), options).fits);
  EXPECT_NE(error_of([&] { engine.ask(clip(), options); }).find("--max-ram allows 1 MiB"), std::string::npos);
}

// Weights that an earlier request touched, and what it left to the allocator, used to count twice.
TEST(Plan, IsTheSameAfterAnAsk) {
  const test::TempDir dir;
  const Engine engine = Engine::load({.model = test::wide_model(dir).string()});
  AskOptions options = test::greedy();
  const uint64_t peak = engine.plan(clip(), options).peak_ram_bytes;
  options.max_ram_bytes = peak + (1 << 20);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(error_of([&] { engine.ask(clip(), options); }), "") << i;
  Session session(engine);
  EXPECT_EQ(error_of([&] { session.ask(clip(), options); }), "");
  EXPECT_EQ(engine.plan(clip(), options).peak_ram_bytes, peak);
}

TEST(Plan, CountsNoMoreCacheThanTheContextHolds) {
  const Engine engine = test::load_tiny();
  const Plan plan = engine.plan(clip(), test::greedy(1 << 20));
  EXPECT_EQ(plan.kv_bytes, engine.plan(clip(), test::greedy(plan.max_position_embeddings)).kv_bytes);
}

TEST(Plan, CountsTheCacheOfTheRowsThatPruningKeeps) {
  const Engine engine = test::load_tiny();
  AskOptions options = test::greedy();
  const auto bytes_a_row = [&](const Plan& plan) {
    return static_cast<double>(plan.kv_bytes) /
           static_cast<double>(plan.prompt_tokens + options.generation.max_tokens);
  };
  const Plan before = engine.plan(clip(), options), measured = engine.plan(clip(), options, true);
  EXPECT_LT(measured.kv_bytes, before.kv_bytes);
  EXPECT_EQ(bytes_a_row(measured), bytes_a_row(before));
  options.prune.max_tokens = 40;
  const Plan pruned = engine.plan(clip(), options);
  EXPECT_EQ(bytes_a_row(pruned), bytes_a_row(before));
  // What plan says fits, ask takes.
  options.max_ram_bytes = engine.plan(clip(), options).peak_ram_bytes + (1 << 20);
  EXPECT_EQ(error_of([&] { engine.ask(clip(), options); }), "");
}

// Between the two predictions plan --measure used to say that it fits and ask that it does not.
TEST(Plan, CountsWhatPruningKeepsWhereThatDecides) {
  const test::TempDir dir;
  const Engine engine = Engine::load({.model = test::wide_model(dir).string()});
  AskOptions options = test::greedy();
  options.fps = 10.0;
  options.prune.threshold = 500;  // the first frame alone is kept
  engine.plan(clip(), options);   // what the first one leaves behind does not count
  const uint64_t every = engine.plan(clip(), options).peak_ram_bytes;
  const uint64_t kept = engine.plan(clip(), options, /*measure_pruning=*/true).peak_ram_bytes;
  ASSERT_GT(every, kept + (256 << 10));
  options.max_ram_bytes = (every + kept) / 2;
  const Plan plan = engine.plan(clip(), options);
  EXPECT_TRUE(plan.pruning_known);
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(error_of([&] { engine.ask(clip(), options); }), "");
  // Nothing is to be lowered where it fits.
  options.fit = true;
  EXPECT_TRUE(engine.plan(clip(), options).warnings.empty());
  EXPECT_TRUE(engine.ask(clip(), options).receipt.warnings.empty());
  options.fit = false;
  options.max_ram_bytes = kept - (64 << 10);
  EXPECT_FALSE(engine.plan(clip(), options).fits);
  EXPECT_NE(error_of([&] { engine.ask(clip(), options); }).find("--max-ram allows"), std::string::npos);
}

// The index of this file promises a frame that then cannot be decoded.
TEST(Plan, LeavesOutTheFramesThatABrokenTailLacks) {
  const test::TempDir dir;
  const std::string whole =
      read_file(std::filesystem::path(VL3_SOURCE_DIR) / "tests/cli/data/clip.mp4", 1 << 20);
  const std::string cut = dir.write("cut.mp4", whole.substr(0, whole.size() * 9 / 10)).string();
  const Conversation conversation = {user_message({video_part(cut), text_part("What?")})};
  const Engine engine = test::load_tiny();
  AskOptions options = test::greedy();
  options.fps = 10.0;
  const Plan plan = engine.plan(conversation, options, /*measure_pruning=*/true);
  const Receipt receipt = engine.ask(conversation, options).receipt;
  ASSERT_LT(receipt.media[0].frames.size(), engine.plan(conversation, options).media[0].frames.size());
  EXPECT_EQ(plan.media[0].frames.size(), receipt.media[0].frames.size());
  EXPECT_EQ(plan.visual_tokens_kept, receipt.visual_tokens_kept);
  EXPECT_EQ(plan.prompt_tokens, receipt.prompt_tokens);
  EXPECT_FALSE(plan.warnings.empty());
}

TEST(Plan, FitLowersFramesAndSaysSo) {
  const test::TempDir dir;
  const Engine engine = Engine::load({.model = test::wide_model(dir).string()});
  AskOptions options = test::greedy();
  options.fps = 10.0;
  const uint64_t all = engine.plan(clip(), options).peak_ram_bytes;
  options.max_frames = 1;
  const uint64_t one = engine.plan(clip(), options).peak_ram_bytes;
  ASSERT_GT(all, one + (32 << 20)) << "frames weigh too little beside the process itself on this model";
  options.max_frames.reset();
  options.max_ram_bytes = (one + all) / 2;
  options.fit = true;
  const Plan plan = engine.plan(clip(), options);
  EXPECT_TRUE(plan.fits);
  ASSERT_EQ(plan.warnings.size(), 1u);
  EXPECT_NE(plan.warnings[0].find("max_frames lowered to"), std::string::npos);
  const Answer answer = engine.ask(clip(), options);
  ASSERT_FALSE(answer.receipt.warnings.empty());
  EXPECT_NE(answer.receipt.warnings[0].find("max_frames lowered to"), std::string::npos);
  EXPECT_LT(answer.receipt.media[0].frames.size(), 45u);
}

// A video that says itself how many frames it wants was refused instead.
TEST(Plan, FitLowersTheFramesThatAMessageAsksFor) {
  const test::TempDir dir;
  const Engine engine = Engine::load({.model = test::wide_model(dir).string()});
  Conversation conversation = clip();
  ContentPart& video = conversation[0].parts[0];
  video.fps = 10.0;
  video.max_frames = 1;
  AskOptions options = test::greedy();
  const uint64_t one = engine.plan(conversation, options).peak_ram_bytes;
  video.max_frames = 45;
  options.max_ram_bytes = (one + engine.plan(conversation, options).peak_ram_bytes) / 2;
  EXPECT_FALSE(engine.plan(conversation, options).fits);
  options.fit = true;
  EXPECT_TRUE(engine.plan(conversation, options).fits);
  EXPECT_LT(engine.ask(conversation, options).receipt.media[0].frames.size(), 45u);
}

TEST(Plan, CountsDecodingInTheTimeToTheFirstToken) {
  const Plan plan = test::load_tiny().plan(clip(), test::greedy());
  EXPECT_GT(plan.decode_seconds, 0.0);
  EXPECT_GT(plan.first_token_seconds, plan.decode_seconds);
  EXPECT_GT(plan.token_seconds, 0);
}

TEST(OutOfMemory, OfLibtorchIsAPassedLimit) {
  const auto huge = [] { return at::empty({int64_t{1} << 50}); };
  const std::string asked = error_of([&] { engine::naming_out_of_memory(huge); });
  EXPECT_NE(asked.find("out of memory; use fewer frames (max_frames)"), std::string::npos) << asked;
  // Commands name what they have.
  const std::string other = error_of([&] { engine::naming_out_of_memory(huge, "use --only"); });
  EXPECT_NE(other.find("out of memory; use --only"), std::string::npos) << other;
}

TEST(StillMemory, KnowsWhatTheDecoderHoldsBesideThePicture) {
  const auto png = [](char depth, char colour, char interlaced) {
    std::string head("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10", 24);
    return head.append({depth, colour, 0, 0, interlaced});
  };
  EXPECT_EQ(engine::decoder_bytes_per_pixel(png(8, 2, 0)), 0.0);
  EXPECT_EQ(engine::decoder_bytes_per_pixel(png(8, 2, 1)), 3.0);
  EXPECT_EQ(engine::decoder_bytes_per_pixel(png(16, 6, 1)), 8.0);  // RGBA of 16 bits
  const auto jpeg = [](char frame) {
    std::string head("\xff\xd8\xff\xe0\0\x04\0\0\xff", 9);
    head.push_back(frame);
    return head.append("\0\x11\x08\0\x10\0\x10\x03\x01\x22\0\x02\x11\x01\x03\x11\x01", 17);
  };
  EXPECT_EQ(engine::decoder_bytes_per_pixel(jpeg('\xc0')), 0.0);
  EXPECT_EQ(engine::decoder_bytes_per_pixel(jpeg('\xc2')), 3.0);  // progressive, 4:2:0
}

}  // namespace
}  // namespace vl3
