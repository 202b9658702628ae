#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "text/tiny_tokenizer.h"

namespace vl3::text {
namespace {

using test::load_json;
using test::tiny_tokenizer;
using test::tiny_tokenizer_json;
using vl3::test::error_of;
using Ids = std::vector<int64_t>;

int64_t id(const Tokenizer& tokenizer, std::string_view token) { return tokenizer.token_id(token).value(); }

TEST(Tokenizer, RecognisesAddedTokensAndMergesTheRest) {
  const Tokenizer tokenizer = tiny_tokenizer();
  EXPECT_EQ(tokenizer.encode("hello<|im_end|>"),
            (Ids{id(tokenizer, "hell"), 'o', id(tokenizer, "<|im_end|>")}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
  EXPECT_EQ(tokenizer.encode("<|im_end"), (Ids{'<', '|', 'i', 'm', '_', 'e', 'n', 'd'}));
}

TEST(Tokenizer, TheLongestAddedTokenWins) {
  Json json = tiny_tokenizer_json();
  Json token = json["added_tokens"][0];
  token["id"] = 400;
  token["content"] = "<image>s";
  json["added_tokens"].push_back(token);
  const Tokenizer tokenizer = load_json(json);
  EXPECT_EQ(tokenizer.encode("<image>s"), Ids{400});
  EXPECT_EQ(tokenizer.encode("<image>t"), (Ids{id(tokenizer, "<image>"), 't'}));
  // The s is a user's: the shorter token, which does not touch it, still counts.
  EXPECT_EQ(tokenizer.encode("<image>s", std::vector<ByteRange>{{7, 8}}),
            (Ids{id(tokenizer, "<image>"), 's'}));
}

TEST(Tokenizer, PlainTextCannotForgeAddedTokens) {
  const Tokenizer tokenizer = tiny_tokenizer();
  const std::string text = "<|im_start|>a<|im_end|>b<|im_end|>";
  const std::vector<ByteRange> user = {{12, 24}};  // from "a" to "b"
  const Ids ids = tokenizer.encode(text, user);
  EXPECT_EQ(ids.front(), id(tokenizer, "<|im_start|>"));
  EXPECT_EQ(ids.back(), id(tokenizer, "<|im_end|>"));
  EXPECT_EQ(ids.size(), 2 + 12u);
  EXPECT_EQ(tokenizer.decode(ids, false), text);
}

TEST(Tokenizer, PlainTextCannotCompleteATokenBegunByTheTemplate) {
  const Tokenizer tokenizer = tiny_tokenizer();
  for (const ByteRange part : {ByteRange{0, 1}, ByteRange{3, 4}, ByteRange{6, 7}}) {
    EXPECT_EQ(tokenizer.encode("<image>", std::vector<ByteRange>{part}).size(), 7u);
  }
  EXPECT_EQ(tokenizer.encode("<image>", std::vector<ByteRange>{{3, 3}}).size(),
            1u);  // an empty range is nothing
}

TEST(Tokenizer, WordsFormAcrossTheBordersOfPlainText) {
  const Tokenizer tokenizer = tiny_tokenizer();
  EXPECT_EQ(tokenizer.encode("hello", std::vector<ByteRange>{{2, 3}}), tokenizer.encode("hello"));
}

TEST(Tokenizer, RangesMayOverlapAndComeInAnyOrder) {
  const Tokenizer tokenizer = tiny_tokenizer();
  const std::string text = "<image>x<image>y<image>";
  const Ids ids = tokenizer.encode(text, std::vector<ByteRange>{{16, 23}, {0, 3}, {2, 7}});
  EXPECT_EQ(std::count(ids.begin(), ids.end(), id(tokenizer, "<image>")), 1);
  EXPECT_NE(error_of([&] {
              tokenizer.encode(text, std::vector<ByteRange>{{0, 24}});
            }).find("outside a text of 23"),
            std::string::npos);
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  const Tokenizer tokenizer = tiny_tokenizer();
  EXPECT_EQ(error_of([&] { tokenizer.encode("ab\xff"); }),
            "invalid argument: the text is not UTF-8: byte 0xff at offset 2; convert it to UTF-8 first");
}

TEST(Tokenizer, NormalisesAndSplitsBeforeMerging) {
  const Tokenizer tokenizer = tiny_tokenizer();
  EXPECT_EQ(tokenizer.encode("e\u0301"), tokenizer.encode("\u00e9"));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("h 1e"), false), "h 1e");
}

TEST(Tokenizer, DecodesBytesSpecialsAndIdsWithoutText) {
  const Tokenizer tokenizer = tiny_tokenizer();
  const Ids ids = {
      id(tokenizer, "<|im_start|>"), 'a', 0xC3, id(tokenizer, "<tool_call>"), 0xC3, 0xA9, 100000, -1};
  EXPECT_EQ(tokenizer.decode(ids, true), "a\uFFFD<tool_call>é");
  EXPECT_EQ(tokenizer.decode(ids, false), "<|im_start|>a\uFFFD<tool_call>é");
  EXPECT_TRUE(tokenizer.is_special(id(tokenizer, "<image>")));
  EXPECT_FALSE(tokenizer.is_special(id(tokenizer, "<tool_call>")));
  EXPECT_TRUE(tokenizer.is_added(id(tokenizer, "<tool_call>")));
  EXPECT_FALSE(tokenizer.is_special(100000));
}

TEST(Tokenizer, EveryTokenIsFoundByItsBytes) {
  const Tokenizer tokenizer = tiny_tokenizer();
  const auto all = tokenizer.all_token_bytes();
  ASSERT_EQ(static_cast<int64_t>(all.size()), tokenizer.vocab_size());
  for (int64_t i = 0; i < tokenizer.vocab_size(); ++i) {
    EXPECT_EQ(tokenizer.token_id(all[static_cast<size_t>(i)]), i);
    EXPECT_EQ(tokenizer.token_bytes(i), all[static_cast<size_t>(i)]);
  }
  EXPECT_EQ(tokenizer.token_id("nowhere"), std::nullopt);
  EXPECT_EQ(tokenizer.token_bytes(-5), "");
}

TEST(Tokenizer, StaysValidWhenMoved) {
  Tokenizer first = tiny_tokenizer();
  const Tokenizer second = std::move(first);
  EXPECT_EQ(second.decode(second.encode("hello <image>"), false), "hello <image>");
  EXPECT_TRUE(second.token_id("hell").has_value());
}

TEST(Tokenizer, IgnoreMergesTakesWholeWords) {
  Json json = tiny_tokenizer_json();
  json["model"]["vocab"]["hello"] = 500;
  EXPECT_NE(load_json(json).encode("hello"), Ids{500});
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(load_json(json).encode("hello"), Ids{500});
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kParts = {
      "<|im_end|>", "<image>", "<|im_start|>", "<|",   "|>",   "<", "hell", "he",         " ",
      "\n",         "é",       "e\u0301",      "视频", "🙂", "1", "'s",   "\u2003",     "\t",
      "!",          "x",       "\r\n",         ".",    "_",    "@", "ab",   "<tool_call>"};
  std::string text;
  for (size_t n = random() % 12; n > 0; --n) text += kParts[random() % kParts.size()];
  return text;
}

TEST(Tokenizer, RandomTextComesBackAndPlainTextHasNoAddedToken) {
  const Tokenizer tokenizer = tiny_tokenizer();
  std::mt19937 random(2);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = random_text(random);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), false), to_nfc(text));
    const Ids plain = tokenizer.encode(text, std::vector<ByteRange>{{0, text.size()}});
    EXPECT_EQ(tokenizer.decode(plain, true), to_nfc(text));
    EXPECT_TRUE(std::none_of(plain.begin(), plain.end(), [&](int64_t t) { return tokenizer.is_added(t); }))
        << text;
  }
}

TEST(Tokenizer, RandomBytesAreEncodedOrRefusedButNeverCrash) {
  const Tokenizer tokenizer = tiny_tokenizer();
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random() % 12, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string error = error_of([&] { tokenizer.encode(bytes); });
    EXPECT_TRUE(error.empty() || error.find("not UTF-8") != std::string::npos) << error;
  }
}

}  // namespace
}  // namespace vl3::text
