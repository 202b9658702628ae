#include "synth/wording.h"

#include <gtest/gtest.h>

#include <set>

namespace vl3::test {
namespace {

using namespace synth;

TEST(Wording, WritesOutAlternativesAndSlots) {
  EXPECT_EQ(plain("[What|Which] colour is {x}?", {{"x", "the Star"}}), "What colour is the Star?");
  Rng rng(1);
  std::set<std::string> said;
  for (int i = 0; i < 400; ++i)
    said.insert(
        say(rng, {"What colour is the {x}?", "[Name|Tell me] the colour of the {x}."}, {{"x", "STAR"}}));
  EXPECT_TRUE(said.contains("What colour is the STAR?"));
  EXPECT_TRUE(said.contains("What color is the STAR?"));
  EXPECT_TRUE(said.contains("what color is the STAR?"));  // slots keep their case
  EXPECT_TRUE(said.contains("What colour is the STAR"));
  EXPECT_TRUE(said.contains("Name the colour of the STAR."));
  EXPECT_GT(said.size(), 15U);
}

TEST(Wording, AsksThePlainWayOften) {
  Rng rng(2);
  int plain_ones = 0;
  for (int i = 0; i < 1000; ++i)
    plain_ones +=
        say(rng, {"What moves?", "What is moving?", "Which object moves?"}) == "What moves?" ? 1 : 0;
  EXPECT_GT(plain_ones, 300);
}

TEST(Wording, LeavesNoGapsWhereAnAlternativeIsEmpty) {
  Rng rng(3);
  for (int i = 0; i < 200; ++i) {
    const std::string text = say(rng, {"How many are there [here|]?"});
    EXPECT_EQ(text.find(" ?"), std::string::npos) << text;
    EXPECT_EQ(text.find("  "), std::string::npos) << text;
  }
}

TEST(Wording, JoinsLists) {
  EXPECT_EQ(join_words({}), "");
  EXPECT_EQ(join_words({"a"}), "a");
  EXPECT_EQ(join_words({"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(join_words({"7", "12"}, ", "), "7, 12");
}

}  // namespace
}  // namespace vl3::test
