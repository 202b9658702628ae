#include "curate/annotation.h"

#include <gtest/gtest.h>

namespace vl3::curate {
namespace {

Item item_of(const Json& json, MediumIs medium = MediumIs::kNamed) {
  Item item;
  read_annotation(json.dump(), InputConfig{}, &item, medium);
  return item;
}

Json turn(const char* from, const char* value) { return {{"from", from}, {"value", value}}; }

std::string caption_of(const Json& turns) {
  return item_of({{"image", "a.jpg"}, {"conversations", turns}}).caption;
}

TEST(Annotation, OnlyAnswersToRequestsForACaptionAreCaptions) {
  for (const char* request : {"<image>\nDescribe the image.", "Write a terse summary of the picture.",
                              "<image>", "Can you describe this picture?", "What is this?\n<image>",
                              "What does the image show, in one sentence?"})
    EXPECT_EQ(caption_of({turn("human", request), turn("gpt", "A cat.")}), "A cat.") << request;
  for (const char* question :
       {"<image>\nIs there a cat?", "Is there a cat?\nAnswer with yes or no.", "有猫吗？"})
    EXPECT_EQ(caption_of({turn("human", question), turn("gpt", "Yes")}), "") << question;
  EXPECT_EQ(caption_of({turn("system", "Be brief."), turn("human", "Describe it."), turn("gpt", "A cat.")}),
            "A cat.");
  EXPECT_EQ(caption_of(Json::array({turn("gpt", "A cat.")})), "A cat.");
  EXPECT_EQ(caption_of({turn("human", "Describe it."), turn("gpt", "A cat."), turn("human", "And?"),
                        turn("gpt", "A dog.")}),
            "");
  const Item kept = item_of(
      {{"image", "a.jpg"}, {"conversations", {turn("human", "Is there a cat?"), turn("gpt", "Yes")}}});
  EXPECT_EQ(kept.reason, "");
  EXPECT_TRUE(kept.source.contains("conversations"));
}

TEST(Annotation, MessagesAreRead) {
  const Json clip = {{"type", "video"}, {"video", "v.mp4"}, {"start", 1.5}, {"end", 4.0}};
  const auto record = [](const Json& parts, const char* question) {
    Json content = parts;
    content.push_back({{"type", "text"}, {"text", question}});
    return Json{
        {"id", "x"},
        {"messages",
         {{{"role", "user"}, {"content", content}}, {{"role", "assistant"}, {"content", "A clip."}}}}};
  };
  const Item item = item_of(record(Json::array({clip}), "Describe the video briefly."));
  EXPECT_EQ(item.reason, "");
  EXPECT_EQ(item.media, "v.mp4");
  EXPECT_EQ(item.caption, "A clip.");
  EXPECT_EQ(item.start_s, 1.5);
  EXPECT_EQ(item.end_s, 4.0);
  EXPECT_EQ(item_of(record(Json::array({clip, clip}), "Describe.")).reason, "several_media");
  EXPECT_EQ(item_of(record(Json::array(), "Describe.")).reason, "no_media");
  EXPECT_EQ(item_of({{"messages", 5}}).reason, "wrong_schema");

  Json beside = record(Json::array(), "Describe.");
  beside["image"] = "a.jpg";
  EXPECT_EQ(item_of(beside).media, "a.jpg");
  EXPECT_EQ(item_of(beside).caption, "A clip.");
}

TEST(Annotation, BesideAMediumNamesMeanNothing) {
  const Item item = item_of({{"image", "../secret.jpg"}, {"caption", "A cat."}}, MediumIs::kBeside);
  EXPECT_EQ(item.media, "");
  EXPECT_EQ(item.caption, "A cat.");
  EXPECT_EQ(item_of({{"caption", "A cat."}, {"width", 5}}, MediumIs::kBeside).reason, "");
  EXPECT_EQ(item_of({{"text", 7}, {"TEXT", "A cat."}}, MediumIs::kBeside).caption, "A cat.");
  EXPECT_EQ(item_of({{"image", {"a.jpg", "b.jpg"}}}, MediumIs::kBeside).reason, "several_media");
}

TEST(Annotation, LongLinesAreRefused) {
  const Item item = item_of({{"image", "a.jpg"}, {"caption", std::string(kMaxAnnotation, 'a')}});
  EXPECT_EQ(item.reason, "line_too_long");
  EXPECT_TRUE(item.source.is_null());
}

TEST(Annotation, CaptionFilesOfOtherSystemsAreRead) {
  Item item;
  read_caption_text("\xEF\xBB\xBFTwo lines\r\nof Windows\r\n", "a.txt", &item);
  EXPECT_EQ(item.caption, "Two lines\nof Windows");
  read_caption_text("caf\xE9", "b.txt", &item);
  EXPECT_EQ(item.caption, "Two lines\nof Windows");
  EXPECT_EQ(item.detail, "b.txt: is not UTF-8, and no caption");
  EXPECT_EQ(item_of({{"image", "a.jpg"}, {"caption", "one\r\ntwo"}}).caption, "one\ntwo");
}

}  // namespace
}  // namespace vl3::curate
