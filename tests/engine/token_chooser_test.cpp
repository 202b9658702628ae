#include "engine/token_chooser.h"

#include <gtest/gtest.h>

#include "text/tiny_tokenizer.h"

namespace vl3::engine {
namespace {

// Ids below 256 are bytes.
TokenChooser::Choice say(TokenChooser& chooser, unsigned char byte) {
  std::vector<float> logits(300, 0.f);
  logits[byte] = 1.f;
  return chooser.choose(logits);
}

// "é" is c3 a9. The half of a character that is left is what decoding all ids at once gives.
TEST(TokenChooser, AnAnswerCutInsideACharacterSaysSo) {
  const text::Tokenizer tokenizer = text::test::tiny_tokenizer();
  const std::vector<int64_t> ids = {'a', 0xc3};
  ASSERT_EQ(tokenizer.decode(ids, true), "a\uFFFD");
  GenerationConfig config;
  config.temperature = 0.0;
  config.max_tokens = 2;
  TokenChooser cut(config, {}, tokenizer, std::nullopt);
  EXPECT_EQ(say(cut, 'a').step.text, "a");
  const TokenChooser::Choice last = say(cut, 0xc3);
  EXPECT_EQ(last.step.finish, sampling::FinishReason::kLength);
  EXPECT_EQ(last.step.text, "\uFFFD");
  EXPECT_EQ(cut.finish(sampling::FinishReason::kCancelled), "");

  config.max_tokens = 9;
  config.stop = {"ab"};
  TokenChooser cancelled(config, {}, tokenizer, std::nullopt);
  EXPECT_EQ(say(cancelled, 'a').step.text, "");  // it could become the stop string
  EXPECT_EQ(say(cancelled, 0xc3).step.text, "");
  EXPECT_EQ(cancelled.finish(sampling::FinishReason::kCancelled), "a\uFFFD");
}

}  // namespace
}  // namespace vl3::engine
