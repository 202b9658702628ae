#include <gtest/gtest.h>

#include "engine/golden_model.h"

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

TEST(Plan, FitLowersFramesAndSaysSo) {
  const Engine engine = test::load_tiny();
  AskOptions options = test::greedy();
  options.fps = 10.0;
  // What the process holds already counts: let it grow to its usual size first.
  engine.ask(clip(), options);
  engine.plan(clip(), options);
  const uint64_t all = engine.plan(clip(), options).peak_ram_bytes;
  options.max_frames = 1;
  const uint64_t one = engine.plan(clip(), options).peak_ram_bytes;
  if (one + (4 << 20) > all)
    GTEST_SKIP() << "frames weigh too little beside the process itself on this model";
  options.max_frames.reset();
  options.max_ram_bytes = (one + all) / 2;
  options.fit = true;
  const Answer answer = engine.ask(clip(), options);
  if (answer.receipt.warnings.empty())
    GTEST_SKIP() << "the process grew meanwhile; nothing had to be lowered";
  EXPECT_NE(answer.receipt.warnings[0].find("max_frames lowered to"), std::string::npos);
  EXPECT_LT(answer.receipt.media[0].frames.size(), 45u);
}

}  // namespace
}  // namespace vl3
