#include "vl3/error.h"

#include <gtest/gtest.h>

#include <string>

#include "core/printable.h"

namespace vl3 {
namespace {

TEST(Error, StaysOnOneLineAndKeepsItsCodeThroughContext) {
  const Error error = Error(ErrorCode::kCorrupt, "bad\nname \x1b[31m").with_context("shard 2 of 4");
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_STREQ(error.what(), "shard 2 of 4: bad name \\x1b[31m");
}

TEST(Error, IsValidUtf8WithoutControlCharacters) {
  const auto shown = [](const std::string& text) {
    return std::string(Error(ErrorCode::kCorrupt, text).what());
  };
  const std::string good = "\u00e9 \u65e5\u672c \U0001f600 \ud7ff \uffff \U0010ffff";
  EXPECT_EQ(shown(good), good);
  EXPECT_EQ(shown("caf\xe9!"), "caf\\xe9!");
  EXPECT_EQ(shown("\xe2\x82"), "\\xe2\\x82");                    // cut off
  EXPECT_EQ(shown("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(shown("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(shown("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  EXPECT_EQ(shown("\xc2\x9b[31m"), "\\xc2\\x9b[31m");            // a terminal's escape in one character
}

TEST(Printable, KeepsTextOnOneLineWithoutEscapes) {
  EXPECT_EQ(printable("a\x1b[31mb\nc\td\r.png"), "a\\x1b[31mb c d\\x0d.png");
  EXPECT_EQ(printable("\u00e9 ok"), "\u00e9 ok");
}

}  // namespace
}  // namespace vl3
