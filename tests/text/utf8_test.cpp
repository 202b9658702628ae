#include "text/utf8.h"

#include <gtest/gtest.h>

namespace vl3::text {
namespace {

const std::string kBad = "\xEF\xBF\xBD";

std::string lossy(std::string_view bytes) {
  std::string out;
  EXPECT_EQ(append_utf8_lossy(bytes, true, &out), bytes.size());
  return out;
}

TEST(Utf8, FindsTheFirstByteOutsideACharacter) {
  EXPECT_EQ(find_invalid_utf8("aé视🙂"), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("a\xc3"), 1u);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2u);
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u);      // a surrogate
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0u);          // overlong
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // past U+10FFFF
}

// Expected counts are those of Python's bytes.decode(errors="replace").
TEST(Utf8, ReplacesEachMaximalIllFormedPart) {
  EXPECT_EQ(lossy("\xe8\xa7"), kBad);
  EXPECT_EQ(lossy("\xe8\xa7x"), kBad + "x");
  EXPECT_EQ(lossy("\xff\xfe"), kBad + kBad);
  EXPECT_EQ(lossy("\xf0\x9f\x99\xf0\x9f\x99\x82"), kBad + "🙂");
  EXPECT_EQ(lossy("\xe0\x80\x80"), kBad + kBad + kBad);
  EXPECT_EQ(lossy("\xed\xa0\x80"), kBad + kBad + kBad);
  EXPECT_EQ(lossy("\xf4\x90\x80\x80"), kBad + kBad + kBad + kBad);
}

TEST(Utf8, LeavesOnlyACompletableTail) {
  std::string out;
  EXPECT_EQ(append_utf8_lossy("a\xf0\x9f\x99", false, &out), 1u);
  EXPECT_EQ(out, "a");
  out.clear();
  EXPECT_EQ(append_utf8_lossy("\xe0\x80", false, &out), 2u);  // no third byte can help
  EXPECT_EQ(out, kBad + kBad);
}

}  // namespace
}  // namespace vl3::text
