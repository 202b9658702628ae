#include "text/pretokenize.h"

#include <gtest/gtest.h>

#include <ctime>

namespace vl3::text {
namespace {

using Words = std::vector<std::string_view>;

TEST(PreTokenizer, SplitsAsQwen2Does) {
  const PreTokenizer split;
  EXPECT_EQ(split.split("Hello, world!"), (Words{"Hello", ",", " world", "!"}));
  EXPECT_EQ(split.split("a  b"), (Words{"a", " ", " b"}));
  EXPECT_EQ(split.split("123"), (Words{"1", "2", "3"}));
  EXPECT_EQ(split.split("THE CAT'S don't"), (Words{"THE", " CAT", "'S", " don", "'t"}));
  EXPECT_EQ(split.split("x \n\n y  "), (Words{"x", " \n\n", " y", "  "}));
  EXPECT_EQ(split.split("!!\r\n_x"), (Words{"!!\r\n", "_x"}));
  EXPECT_EQ(split.split(""), Words{});
}

TEST(PreTokenizer, TakesUnicodesWhiteSpaceAndNoMore) {
  const PreTokenizer split;
  // U+180E stopped being white space in Unicode 6.3: it prefixes the word. U+2003 and U+0085 are white space.
  EXPECT_EQ(split.split("a\u180eb"), (Words{"a", "\u180eb"}));
  EXPECT_EQ(split.split("a\u2003\u2003."), (Words{"a", "\u2003", "\u2003", "."}));
  EXPECT_EQ(split.split("a\u0085\n."), (Words{"a", "\u0085\n", "."}));
}

TEST(PreTokenizer, LosesNothing) {
  const PreTokenizer split;
  using std::string_literals::operator""s;  // keeps the NUL
  const std::string text = "é\0\x01 ٣Ⅷ²🙂\u00a0\xf4\x8f\xbf\xbf\n "s;
  std::string joined;
  for (const auto word : split.split(text)) joined += word;
  EXPECT_EQ(joined, text);
}

TEST(Nfc, ComposesDecomposesAndOrders) {
  EXPECT_EQ(to_nfc("e\u0301"), "\u00e9");
  EXPECT_EQ(to_nfc("\u212b"), "\u00c5");          // Ångström sign
  EXPECT_EQ(to_nfc("\ufb01"), "\ufb01");          // a compatibility ligature stays
  EXPECT_EQ(to_nfc("\u1100\u1161\u11a8"), "각");  // Hangul
  EXPECT_EQ(to_nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093c");  // excluded from composition
  EXPECT_EQ(to_nfc("plain, é"), "plain, é");
}

// A run of marks in reverse order made an insertion sort take minutes.
TEST(Nfc, EndlessCombiningMarksTakeNoTime) {
  std::string marks = "a";
  for (int i = 0; i < 500'000; ++i) marks += i % 2 == 0 ? "\u0307" : "\u0323";
  const std::clock_t begin = std::clock();  // CPU time: other work on the machine does not count
  EXPECT_EQ(to_nfc(marks).size() % 2, 1u);
  EXPECT_LT(std::clock() - begin, 20 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace vl3::text
