#include "text/white_space.h"

#include <gtest/gtest.h>

namespace vl3::text {
namespace {

TEST(WhiteSpace, IsStrippedAsPythonDoes) {
  EXPECT_EQ(strip(" \t\u3000a b\u2003\u0085\n"), "a b");
  EXPECT_EQ(strip("\u00e0"), "\u00e0");
  EXPECT_EQ(strip(" \n"), "");
  EXPECT_EQ(strip(""), "");
  EXPECT_EQ(strip("\x80 \xe3\x80"), "\x80 \xe3\x80");  // broken at both ends
}

TEST(WhiteSpace, IsWhatPythonCallsSpace) {
  for (const char32_t c : {U'\t', U'\x1f', U'\x85', U'\xa0', U'\u2009', U'\u3000'}) EXPECT_TRUE(is_space(c));
  for (const char32_t c : {U'a', U'\0', U'\u200b', U'\ufeff'}) EXPECT_FALSE(is_space(c));
}

}  // namespace
}  // namespace vl3::text
