#include "synth/captions.h"

#include <gtest/gtest.h>

#include "synth/walk.h"

namespace vl3::test {
namespace {

using namespace synth;

Item shape(const char* colour, const char* name, float x, float y) {
  return {"shape", name, colour, 0, -1, {x - 10, y - 10, x + 10, y + 10}};
}

Facts scene() {
  Facts facts;
  facts.images.push_back(
      {200, 200, "white", {shape("blue", "star", 150, 100), shape("red", "circle", 40, 100)}});
  return facts;
}

bool right(const std::string& caption) { return caption_is_right(caption, scene(), MediaType::kImage); }

TEST(Captions, CountEqualShapesAndChooseTheArticle) {
  EXPECT_EQ(
      list_phrase(
          {{Colour::kOrange, Shape::kCross}, {Colour::kRed, Shape::kStar}, {Colour::kOrange, Shape::kCross}}),
      "two orange crosses and a red star");
  EXPECT_EQ(list_phrase({{Colour::kOrange, Shape::kHeart}}), "an orange heart");
}

TEST(Captions, SayMoreAtEveryLevelOfDetail) {
  const ImageFacts image = scene().images[0];
  EXPECT_EQ(image_caption(image, 0), "a red circle and a blue star");
  EXPECT_EQ(image_caption(image, 1), "The image shows a red circle and a blue star.");
  EXPECT_EQ(image_caption(image, 2),
            "The image shows a red circle and a blue star. The red circle is to the left of the blue star. "
            "The background is white.");
}

TEST(Captions, AreRightWhateverTheirWords) {
  EXPECT_TRUE(right("a red circle and a blue star"));
  EXPECT_TRUE(right("I see one blue star and one red circle."));
  EXPECT_TRUE(
      right("There is a blue star, and a red circle. The blue star is to the right of the red circle."));
  EXPECT_TRUE(right("A red circle and a blue star. The background is white. The red circle is on the left."));
}

TEST(Captions, AreWrongWithAnyFactWrong) {
  EXPECT_FALSE(right("a red circle"));                                            // one missing
  EXPECT_FALSE(right("a red circle, a blue star and a green heart"));             // one too many
  EXPECT_FALSE(right("a blue circle and a red star"));                            // colours exchanged
  EXPECT_FALSE(right("two red circles and a blue star"));                         // count
  EXPECT_FALSE(right("a red circle and a blue star. The background is black."));  // background
  EXPECT_FALSE(right("a red circle and a blue star. The blue star is to the left of the red circle."));
  EXPECT_FALSE(right("a red circle and a blue star. The red circle is at the top right."));
  EXPECT_FALSE(right("a red circle and a blue star star"));  // garbled
  EXPECT_FALSE(right(""));
}

TEST(Captions, TellEventsOfAClip) {
  Facts facts;
  facts.duration_s = 4;
  facts.objects = {{"circle", "red", 0, 4}, {"star", "blue", 0, 4}};
  facts.events = {{"move", 0, 0, 3, "", "left"}};
  EXPECT_EQ(clip_caption(facts, 2), "A red circle moves to the left. A blue star stays still.");
  const auto is = [&](const std::string& caption) {
    return caption_is_right(caption, facts, MediaType::kVideo);
  };
  EXPECT_TRUE(is("A red circle moves left."));
  EXPECT_FALSE(is("A red circle moves right."));
  EXPECT_FALSE(is("A blue star moves to the left."));
  EXPECT_FALSE(is("A red circle stays still. A blue star stays still."));
  facts.events = {{"flash", 0, 0, 1, "", ""}, {"flash", 0, 2, 3, "", ""}};
  EXPECT_EQ(clip_caption(facts, 0), "A red circle flashes twice.");
  EXPECT_TRUE(is("A red circle flashes two times."));
  EXPECT_FALSE(is("A red circle flashes three times."));
  facts.events = {{"colour", 0, 2, 2, "red", "green"}};
  EXPECT_TRUE(is("A red circle turns green."));
  EXPECT_FALSE(is("A red circle turns blue."));
}

TEST(Captions, OfTheGeneratorAreRight) {
  SynthOptions options;
  options.mixture = {
      {"scene.caption", {}, 1}, {"scene.describe", {}, 1}, {"video.caption", {"f2", "f5", "f8"}, 1}};
  options.questions_per_medium = 1;
  options.image_codec = options.codec = Codec::kRaw;
  walk(options, 60, [](const Sample& sample) {
    for (const Question& question : sample.questions)
      EXPECT_TRUE(caption_is_right(question.answer, sample.facts, sample.type))
          << sample.id << ": " << question.answer;
  });
  options.caption_noise = 1;
  walk(options, 60, [](const Sample& sample) {
    for (const Question& question : sample.questions)
      EXPECT_FALSE(caption_is_right(question.answer, sample.facts, sample.type))
          << sample.id << ": " << question.answer;
  });
}

}  // namespace
}  // namespace vl3::test
