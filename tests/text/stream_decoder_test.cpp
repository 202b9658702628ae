#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include <random>

#include "text/tiny_tokenizer.h"
#include "text/utf8.h"

namespace vl3::text {
namespace {

using test::tiny_tokenizer;

TEST(StreamDecoder, HoldsACharacterBackUntilItIsWhole) {
  const Tokenizer tokenizer = tiny_tokenizer();
  StreamDecoder decoder(tokenizer, true);
  EXPECT_EQ(decoder.push('a'), "a");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.push(0x9F), "");
  EXPECT_EQ(decoder.push(0x99), "");
  EXPECT_EQ(decoder.push(0x82), "🙂");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, ReplacesWhatCannotBeCompleted) {
  const Tokenizer tokenizer = tiny_tokenizer();
  StreamDecoder decoder(tokenizer, true);
  EXPECT_EQ(decoder.push(0xE8), "");
  EXPECT_EQ(decoder.push('x'), "\uFFFDx");
  EXPECT_EQ(decoder.push(0xFF), "\uFFFD");
  EXPECT_EQ(decoder.push(0xC3), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, PiecesAreWholeCharactersAndJoinToDecode) {
  const Tokenizer tokenizer = tiny_tokenizer();
  std::mt19937 random(4);
  for (int round = 0; round < 3000; ++round) {
    const bool skip = round % 2 == 0;
    StreamDecoder decoder(tokenizer, skip);
    std::vector<int64_t> ids;
    std::string joined;
    for (size_t n = random() % 30; n > 0; --n) {
      // Mostly the bytes of multi-byte characters, so that both whole and broken ones come up.
      static const std::vector<int64_t> kLikely = {0xF0, 0x9F, 0x99, 0x82, 0xE8, 0xA7,
                                                   0x86, 0xC3, 0xA9, 0xED, 0xE0};
      ids.push_back(random() % 4 != 0
                        ? kLikely[random() % kLikely.size()]
                        : static_cast<int64_t>(random() % static_cast<uint32_t>(tokenizer.vocab_size() + 9)));
      const std::string piece = decoder.push(ids.back());
      EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
      joined += piece;
    }
    EXPECT_EQ(joined + decoder.finish(), tokenizer.decode(ids, skip));
  }
}

}  // namespace
}  // namespace vl3::text
