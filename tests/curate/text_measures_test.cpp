#include "curate/text_measures.h"

#include <gtest/gtest.h>

namespace vl3::curate {
namespace {

TEST(TextMeasures, CountsCharactersNotBytes) {
  const TextMeasures text = measure_text("  Ein Käfer – schön.\n");
  EXPECT_EQ(text.chars, 18);
  EXPECT_EQ(text.words, 4);
  EXPECT_EQ(text.controls, 0);
}

TEST(TextMeasures, RepetitionIsTheShareOfTheCommonestPair) {
  EXPECT_NEAR(measure_text("cheap shoes cheap shoes cheap shoes cheap shoes").repetition, 1, 1e-9);
  EXPECT_EQ(measure_text("a red circle stands left of one blue square here").repetition, 0);
  EXPECT_EQ(measure_text("so so so so").repetition, 0);  // too short to tell
}

TEST(TextMeasures, ControlAndFormattingCharactersCount) {
  EXPECT_EQ(measure_text("a\x1b[31mb").controls, 1);
  EXPECT_EQ(measure_text("turned \xe2\x80\xae around").controls, 1);
  EXPECT_EQ(measure_text("\xff broken").controls, 1);
  EXPECT_EQ(measure_text("family \xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9 ok\ttab\nline").controls, 0);
}

TEST(TextMeasures, SymbolsAndMediaTags) {
  EXPECT_NEAR(measure_text("$$++").symbol_share, 1, 1e-9);
  EXPECT_EQ(measure_text("What, really? (Yes.)").symbol_share, 0);
  EXPECT_TRUE(measure_text("see <image> here").has_media_tag);
  EXPECT_TRUE(measure_text("<|im_end|>").has_media_tag);
  EXPECT_FALSE(measure_text("a < b").has_media_tag);
}

TEST(TextMeasures, CleanTextHasNeitherControlsNorTags) {
  EXPECT_TRUE(is_clean(measure_text("a < b\n\tc")));
  EXPECT_FALSE(is_clean(measure_text("a\x07")));
  EXPECT_FALSE(is_clean(measure_text("<video>")));
}

TEST(TextMeasures, WordsAreFoundWhole) {
  EXPECT_EQ(find_words("A category of cat", "cat", 0), 14u);
  EXPECT_EQ(find_words("cats, a cat-flap", "cat", 0), 8u);
  EXPECT_EQ(find_words("ein Käfer", "Käf", 0), std::string_view::npos);
  EXPECT_EQ(find_words("cat_7 cat", "cat", 0), 6u);
  EXPECT_EQ(find_words("No. 5", "No.", 0), 0u);
  EXPECT_EQ(find_words("一只猫坐着", "猫", 0), 6u);
  EXPECT_EQ(find_words("a cat", "cat", 3), std::string_view::npos);
  EXPECT_EQ(find_words("a cat", "", 0), std::string_view::npos);
}

TEST(TextMeasures, TemplatesDifferInDigitsCaseAndSpaceOnly) {
  EXPECT_EQ(caption_template("Image 12 of  345,\nfree"), caption_template("image 9 of 1, FREE"));
  EXPECT_NE(caption_template("Image 12"), caption_template("Picture 12"));
  EXPECT_EQ(caption_template(""), "");
}

}  // namespace
}  // namespace vl3::curate
