#include "sampling/stop.h"

#include <gtest/gtest.h>

#include <limits>

#include "sampling/sampler.h"
#include "support/temp_dir.h"

namespace vl3::sampling {
namespace {

using test::error_of;

TEST(StopCondition, FindsAStopStringAcrossTokens) {
  StopCondition condition({.stop = {"\n\nUser:"}});
  std::string shown;
  const auto push = [&](std::string_view text) {
    const auto step = condition.push(1, text);
    shown += step.text;
    return step;
  };
  EXPECT_EQ(push("Hello\n").text, "Hello");
  EXPECT_EQ(push("world").text, "\nworld");
  EXPECT_EQ(push("!\n\nUs").text, "!");
  const auto last = push("er: more");
  EXPECT_EQ(last.finish, FinishReason::kStop);
  EXPECT_EQ(last.detail, "\n\nUser:");
  EXPECT_EQ(shown, "Hello\nworld!");
  EXPECT_NE(error_of([&] { condition.push(1, "x"); }).find("after the end"), std::string::npos);
}

TEST(StopCondition, FirstCompletedWinsAndOfThoseTheLongest) {
  StopCondition condition({.stop = {"cd", "bcd", "abcdef"}});
  const auto step = condition.push(1, "xabcdefg");
  EXPECT_EQ(step.text, "xa");
  EXPECT_EQ(step.detail, "bcd");
}

TEST(StopCondition, TokenBordersDontMatter) {
  // Whatever way a text is cut, the answer is what a search in the whole text gives.
  const std::string alphabet = "ab\xc3\xa9";  // a, b, é
  for (uint64_t seed = 0; seed < 300; ++seed) {
    uint64_t n = 0;
    const auto random = [&](uint64_t bound) {
      return static_cast<uint64_t>(uniform(seed, n++) * static_cast<double>(bound));
    };
    const auto text_of = [&](uint64_t size) {
      std::string text;
      for (uint64_t i = 0; i < size; ++i) {
        const uint64_t c = random(3);
        text += c == 2 ? alphabet.substr(2) : alphabet.substr(c, 1);
      }
      return text;
    };
    const std::vector<std::string> stops = {text_of(1 + random(4)), text_of(2 + random(5)), text_of(6)};
    StopCondition condition({.stop = stops, .max_tokens = 1000});
    std::string whole;
    std::string shown;
    bool finished = false;
    while (!finished && whole.size() < 60) {
      const std::string piece = text_of(random(4));
      whole += piece;
      const auto step = condition.push(1, piece);
      shown += step.text;
      finished = step.finish.has_value();
    }
    if (!finished) shown += condition.finish(FinishReason::kCancelled).text;
    size_t begin = whole.size();
    size_t end = std::string::npos;
    for (const std::string& stop : stops) {
      const size_t at = whole.find(stop);
      if (at == std::string::npos) continue;
      if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
        end = at + stop.size();
        begin = at;
      }
    }
    EXPECT_EQ(shown, whole.substr(0, begin)) << "seed " << seed;
    EXPECT_EQ(finished, end != std::string::npos) << "seed " << seed;
  }
}

TEST(StopCondition, HoldsBackNoMoreThanAPrefix) {
  StopCondition condition({.stop = {"aab"}});
  EXPECT_EQ(condition.push(1, "aaaa").text, "aa");
  EXPECT_EQ(condition.push(1, "c").text, "aac");
  EXPECT_EQ(condition.push(1, "ba").text, "b");
  const auto end = condition.finish(FinishReason::kCancelled);
  EXPECT_EQ(end.text, "a");
  EXPECT_EQ(end.finish, FinishReason::kCancelled);
}

TEST(StopCondition, EndOfSequenceReleasesWhatWasHeld) {
  StopCondition condition({.eos_token_ids = {7, 8}, .stop = {"xyz"}});
  EXPECT_EQ(condition.push(1, "ax").text, "a");
  const auto step = condition.push(8, "");
  EXPECT_EQ(step.text, "x");
  EXPECT_EQ(step.finish, FinishReason::kStop);
  EXPECT_EQ(step.detail, "token 8");
}

TEST(StopCondition, LengthCountsTokensAndStopComesFirst) {
  StopCondition counted({.max_tokens = 2});
  EXPECT_FALSE(counted.push(1, "a").finish);
  EXPECT_EQ(counted.push(1, "").finish, FinishReason::kLength);
  StopCondition both({.stop = {"b"}, .max_tokens = 1});
  EXPECT_EQ(both.push(1, "ab").finish, FinishReason::kStop);
}

TEST(StopCondition, MinTokensMasksTheEnd) {
  StopCondition condition({.eos_token_ids = {1, 99}, .min_tokens = 1});
  std::vector<float> logits = {0, 0};
  condition.apply_min_tokens(logits);
  EXPECT_EQ(logits[1], -std::numeric_limits<float>::infinity());
  condition.push(0, "a");
  logits[1] = 0;
  condition.apply_min_tokens(logits);
  EXPECT_EQ(logits[1], 0);
}

TEST(StopCondition, RefusesBadOptions) {
  const auto refused = [](StopOptions options) {
    return error_of([&] { StopCondition condition(options); });
  };
  EXPECT_NE(refused({.stop = {""}}).find("1 to 1024 bytes, found one of 0"), std::string::npos);
  EXPECT_NE(refused({.stop = {std::string(2000, 'x')}}).find("found one of 2000"), std::string::npos);
  EXPECT_NE(refused({.stop = {"\xa9"}}).find("inside a UTF-8 character"), std::string::npos);
  EXPECT_NE(refused({.stop = std::vector<std::string>(65, "a")}).find("at most 64"), std::string::npos);
  EXPECT_NE(refused({.max_tokens = 0}).find("max_tokens"), std::string::npos);
  EXPECT_NE(refused({.max_tokens = 5, .min_tokens = 6}).find("min_tokens"), std::string::npos);
  EXPECT_NE(refused({.loop_guard = {.enabled = true, .max_span = 0}}).find("max_span"), std::string::npos);
  EXPECT_NE(refused({.loop_guard = {.enabled = true, .min_repeats = 1}}).find("min_repeats"),
            std::string::npos);
}

TEST(LoopGuard, EndsARepeatedSpanWithItsReason) {
  StopCondition condition(
      {.loop_guard = {.enabled = true, .max_span = 8, .min_repeats = 4, .min_tokens = 10}});
  for (const int64_t id : {9, 9, 5, 4}) EXPECT_FALSE(condition.push(id, "").finish);
  StopCondition::Step step;
  int pushed = 0;
  while (!step.finish && pushed < 100) step = condition.push(1 + pushed++ % 3, "t");
  EXPECT_EQ(step.finish, FinishReason::kRepetition);
  EXPECT_EQ(step.detail, "4 repeats of 3 tokens");
  EXPECT_EQ(pushed, 12);
}

TEST(LoopGuard, LetsVariedAndShortRepeatsPass) {
  LoopGuard guard({.enabled = true});
  for (int64_t i = 0; i < 5000; ++i) ASSERT_FALSE(guard.push(i * i % 1009)) << i;
  for (int64_t i = 0; i < 100; ++i) ASSERT_FALSE(guard.push(7)) << "100 equal tokens are under min_tokens";
  LoopGuard off({});
  for (int64_t i = 0; i < 5000; ++i) ASSERT_FALSE(off.push(1));
}

}  // namespace
}  // namespace vl3::sampling
