#include "engine/prompt_lookup.h"

#include <gtest/gtest.h>

#include "engine/golden_model.h"

namespace vl3::engine {
namespace {

using Ids = std::vector<int64_t>;

TEST(PromptLookup, GuessesWhatFollowedTheSameThreeTokens) {
  const Ids prompt = {1, 2, 3, 4, 5, 6, 9, 1, 2, 3};
  PromptLookup lookup(prompt, 7);
  EXPECT_EQ(lookup.draft(10), (Ids{4, 5})) << "two at first";
  lookup.accepted(2, 2);
  EXPECT_EQ(lookup.draft(10), (Ids{4, 5, 6, 9}));
  EXPECT_EQ(lookup.draft(1), Ids{4});
  EXPECT_TRUE(lookup.draft(0).empty());
  lookup.accepted(1, 4);
  EXPECT_EQ(lookup.draft(10), Ids{4}) << "shorter after a wrong guess";
  EXPECT_EQ(lookup.num_drafted(), 6);
  EXPECT_EQ(lookup.num_accepted(), 3);
}

TEST(PromptLookup, TheLastPlaceCounts) {
  PromptLookup lookup(Ids{1, 2, 3, 4, 1, 2, 3, 5, 1, 2}, 7);
  EXPECT_TRUE(lookup.draft(7).empty()) << "3 5 1 2 never stood before";
  lookup.push(3);
  EXPECT_EQ(lookup.draft(7), (Ids{5, 1}));
}

TEST(PromptLookup, SaysNothingWithoutARepetitionOrWhenOff) {
  EXPECT_TRUE(PromptLookup(Ids{1, 2, 3, 4, 5}, 7).draft(7).empty());
  EXPECT_TRUE(PromptLookup(Ids{1, 2}, 7).draft(7).empty());
  PromptLookup off(Ids{7, 7, 7, 7, 7}, 0);
  off.push(7);
  EXPECT_TRUE(off.draft(7).empty());
}

TEST(PromptLookup, RunsOfOneTokenGoOn) {
  PromptLookup lookup(Ids{7, 7, 7, 7, 7, 7}, 7);
  EXPECT_EQ(lookup.draft(7), Ids{7}) << "as far as it was seen";
}

class Guessing : public testing::Test {
 protected:
  static Conversation chat() {
    return {user_message({media_part(test::golden_media("gray.png")),
                          text_part("one two three four one two three four one two three four one two")})};
  }
  const Engine engine_ = test::load_tiny();
};

TEST_F(Guessing, ChangesNoGreedyAnswer) {
  AskOptions options = test::greedy(96);
  options.generation.prompt_lookup_num_tokens = 0;
  const Answer alone = engine_.ask(chat(), options);
  EXPECT_EQ(alone.receipt.drafted_tokens, 0);
  options.generation.prompt_lookup_num_tokens = 7;
  const Answer guessed = engine_.ask(chat(), options);
  EXPECT_EQ(guessed.token_ids, alone.token_ids);
  EXPECT_EQ(guessed.text, alone.text);
  EXPECT_LE(guessed.receipt.accepted_tokens, guessed.receipt.drafted_tokens);
}

TEST_F(Guessing, SavesStepsWhereTheAnswerRepeats) {
  AskOptions options = test::greedy(200);
  options.generation.ignore_eos = false;
  options.generation.regex = "a{80}";
  options.generation.prompt_lookup_num_tokens = 0;
  const Answer alone = engine_.ask(chat(), options);
  options.generation.prompt_lookup_num_tokens = 7;
  const Answer guessed = engine_.ask(chat(), options);
  EXPECT_EQ(guessed.token_ids, alone.token_ids);
  EXPECT_GT(guessed.receipt.accepted_tokens, 0);
}

TEST_F(Guessing, ChangesNoSampledAnswerOfASeed) {
  AskOptions options = test::greedy(64);
  options.generation.top_k = 3;
  options.generation.temperature = 0.7;
  for (const uint64_t seed : {1u, 2u, 3u}) {
    options.generation.seed = seed;
    options.generation.prompt_lookup_num_tokens = 0;
    const Ids alone = engine_.ask(chat(), options).token_ids;
    options.generation.prompt_lookup_num_tokens = 7;
    EXPECT_EQ(engine_.ask(chat(), options).token_ids, alone) << seed;
  }
}

TEST_F(Guessing, LeavesTheCacheAsAnAnswerWithoutIt) {
  std::vector<Ids> answers;
  std::vector<int64_t> cached;
  for (const int64_t drafts : {0, 7}) {
    Session session(engine_);
    AskOptions options = test::greedy(40);
    options.generation.prompt_lookup_num_tokens = drafts;
    Conversation talk = chat();
    const Answer first = session.ask(talk, options);
    talk.push_back({Role::kAssistant, {text_part(first.text)}, true});
    talk.push_back(user_message({text_part("one two three four one two three four")}));
    const Answer second = session.ask(talk, options);
    answers.push_back(second.token_ids);
    cached.push_back(second.receipt.cached_tokens);
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_EQ(cached[0], cached[1]);
  EXPECT_GT(cached[0], 0);
}

TEST_F(Guessing, HonoursConstraintsStopsAndLengths) {
  AskOptions options = test::greedy(60);
  options.generation.ignore_eos = false;
  options.generation.regex = "(ab ){3,12}x";
  options.generation.prompt_lookup_num_tokens = 0;
  const Answer alone = engine_.ask(chat(), options);
  options.generation.prompt_lookup_num_tokens = 7;
  const Answer guessed = engine_.ask(chat(), options);
  EXPECT_EQ(guessed.text, alone.text);
  EXPECT_EQ(guessed.finish_reason, alone.finish_reason);
  for (const int64_t length : {1, 2, 9, 10, 11}) {
    EXPECT_EQ(engine_
                  .ask(chat(),
                       [&] {
                         AskOptions shorter = test::greedy(length);
                         shorter.generation.prompt_lookup_num_tokens = 7;
                         return shorter;
                       }())
                  .token_ids.size(),
              static_cast<size_t>(length));
  }
  options = test::greedy();
  options.generation.prompt_lookup_num_tokens = 8;
  EXPECT_NE(test::error_of([&] {
              engine_.ask(chat(), options);
            }).find("prompt_lookup_num_tokens 8: expected 0 to 7"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::engine
