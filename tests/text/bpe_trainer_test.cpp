#include "text/bpe_trainer.h"

#include <gtest/gtest.h>

#include <set>

#include "support/temp_dir.h"
#include "text/tokenizer.h"

namespace vl3::text {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

WordCounts counted(std::initializer_list<std::pair<const char*, int>> texts) {
  WordCounts counts;
  for (const auto& [text, times] : texts) {
    for (int i = 0; i < times; ++i) counts.add(text);
  }
  return counts;
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  // "ab" 5 times, "bc" 8 times; once b and c are one, a and bc stand side by side 3 times, a and b twice.
  EXPECT_EQ(train_bpe(counted({{"ab", 2}, {"abc", 3}, {"bc", 5}}), 3),
            (Merges{{"b", "c"}, {"a", "bc"}, {"a", "b"}}));
}

TEST(BpeTrainer, CountsOverlappingPairsOfAWord) {
  EXPECT_EQ(train_bpe(counted({{"aaaa", 2}}), 2), (Merges{{"a", "a"}, {"aa", "aa"}}));
}

TEST(BpeTrainer, StopsWhereNoPairOccursTwice) { EXPECT_EQ(train_bpe(counted({{"xy", 1}}), 5), Merges{}); }

TEST(BpeTrainer, CapitalsAndDigitsStayAlone) {
  for (const auto& [left, right] : train_bpe(counted({{"EXIT EXIT What 1234 circle", 9}}), 100)) {
    for (const char c : left + right)
      EXPECT_FALSE(std::isupper(c) || std::isdigit(c)) << left << "+" << right;
  }
}

TEST(BpeTrainer, TheTokenizerItWritesReadsBackAnyText) {
  const vl3::test::TempDir dir;
  const Merges merges = train_bpe(counted({{"what colour is the circle", 9}, {"the red circle", 4}}), 40);
  const int64_t tokens = write_tokenizer(merges, dir.path());
  const Tokenizer tokenizer = Tokenizer::load(dir.path());
  const std::vector<int64_t> circle = tokenizer.encode(" circle");
  EXPECT_EQ(circle.size(), 1u) << "a frequent word is one token";
  for (const char* text : {" circle", "Ça va? 12 \n\t <b>", "日本", "EXIT 42"}) {
    const std::vector<int64_t> ids = tokenizer.encode(text);
    EXPECT_EQ(tokenizer.decode(ids, false), text);
    for (const int64_t id : ids) EXPECT_LT(id, tokens);
  }
  std::set<int64_t> special;
  for (const char* name : {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>",
                           "<image>", "<|stream_start|>", "<|stream_end|>"}) {
    const std::vector<int64_t> ids = tokenizer.encode(name);
    ASSERT_EQ(ids.size(), 1u) << name;
    special.insert(ids[0]);
  }
  EXPECT_EQ(special.size(), 8u);
}

}  // namespace
}  // namespace vl3::text
