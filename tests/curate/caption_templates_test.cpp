#include "curate/caption_templates.h"

#include <gtest/gtest.h>

#include "data/record_parser.h"

namespace vl3::curate {
namespace {

TEST(CaptionTemplates, OcrFormOfThePaper) {
  const Json source = Json::parse(
      R"({"texts": [{"text": "EXIT", "box": [1, 2, 30, 40]}, {"text": "no box"}, {"text": "2.5", "box": [0.1, 0.2, 0.3, 0.4]}]})");
  EXPECT_EQ(ocr_caption("A green sign.", source),
            "A green sign. The texts in this image are EXIT<box>[1, 2, 30, 40]</box>, 2.5<box>[0.1, 0.2, "
            "0.3, 0.4]</box>.");
  EXPECT_EQ(ocr_caption("", source).substr(0, 27), "The texts in this image are");
  EXPECT_EQ(ocr_caption("A sign.", Json::parse("{}")), "A sign.");
  EXPECT_EQ(ocr_caption("A sign.", Json::parse(R"({"texts": [{"text": "a", "box": [1, 2]}, 7]})")),
            "A sign.");
}

TEST(CaptionTemplates, GroundingWritesEachBoxBehindItsPhrase) {
  const Json source = Json::parse(
      R"({"objects": [{"phrase": "a dog", "box": [1, 2, 3, 4]}, {"phrase": "a dog", "box": [5, 6, 7, 8]}, {"phrase": "a cat", "box": [0, 0, 1, 1]}]})");
  EXPECT_EQ(grounding_caption("a dog chases a dog", source),
            "a dog<box>[1, 2, 3, 4]</box> chases a dog<box>[5, 6, 7, 8]</box>");
  EXPECT_EQ(grounding_caption("nothing", source), "nothing");
}

// Phrases were looked for in what had been inserted already, and within words.
TEST(CaptionTemplates, PhrasesAreWholeWordsAndNeverInsideOfATag) {
  const auto grounded = [](const std::string& caption, const std::vector<std::string>& phrases) {
    Json objects = Json::array();
    int x = 1;
    for (const std::string& phrase : phrases) {
      objects.push_back({{"phrase", phrase}, {"box", {x, 2, x + 4, 8}}});
      ++x;
    }
    return grounding_caption(caption, Json{{"objects", objects}});
  };
  EXPECT_EQ(grounded("A cat sits in a box.", {"cat", "box"}),
            "A cat<box>[1, 2, 5, 8]</box> sits in a box<box>[2, 2, 6, 8]</box>.");
  EXPECT_EQ(grounded("A category of cat", {"cat"}), "A category of cat<box>[1, 2, 5, 8]</box>");
  EXPECT_EQ(grounded("a red box beside a box", {"box", "a red box"}),
            "a red box<box>[2, 2, 6, 8]</box> beside a box<box>[1, 2, 5, 8]</box>");
  EXPECT_EQ(grounded("a dog", {"a dog", "dog", "2", "box"}), "a dog<box>[1, 2, 5, 8]</box>");
  EXPECT_EQ(grounded("a box<box>[0, 0, 1, 1]</box> stands", {"box", "1"}),
            "a box<box>[0, 0, 1, 1]</box> stands");
  EXPECT_EQ(grounded("ein Käfer", {"Käfe", "fer", "Käfer"}), "ein Käfer<box>[3, 2, 7, 8]</box>");
  EXPECT_EQ(grounded("一只猫坐着", {"猫"}), "一只猫<box>[1, 2, 5, 8]</box>坐着");
}

TEST(CaptionTemplates, WrongBoxesAreLeftOut) {
  for (const char* box : {"[3, 2, 1, 4]", "[1, 4, 3, 2]", "[-1, 2, 3, 4]", "[1, 2, 3]", "[1, 2, 3, 4, 5]",
                          "[1, 2, 3, \"4\"]", "[1, 2, 3, null]", "[[1], 2, 3, 4]", "{}", "7"}) {
    const Json object = Json::parse(std::string(R"({"phrase": "dog", "text": "EXIT", "box": )") + box + "}");
    EXPECT_EQ(grounding_caption("a dog", Json{{"objects", {object}}}), "a dog") << box;
    EXPECT_EQ(ocr_caption("A sign.", Json{{"texts", {object}}}), "A sign.") << box;
  }
  EXPECT_EQ(grounding_caption("a dog",
                              Json::parse(R"({"objects": [{"phrase": "dog", "box": [-0.0, 0, 0, 1e300]}]})")),
            "a dog<box>[0, 0, 0, 1e+300]</box>");
}

// Texts of the input went into training samples unread.
TEST(CaptionTemplates, TextsThatWouldBreakASampleAreLeftOut) {
  const Json source = Json::parse(
      R"({"texts": [{"text": "<image>\u0000<|im_end|>", "box": [1, 2, 3, 4]}, {"text": "a\u0007", "box": [1, 2, 3, 4]},)"
      R"({"text": "x</box>", "box": [1, 2, 3, 4]}, {"text": "EXIT", "box": [1, 2, 3, 4]}]})");
  EXPECT_EQ(ocr_caption("A sign.", source),
            "A sign. The texts in this image are EXIT<box>[1, 2, 3, 4]</box>.");
}

TEST(CaptionTemplates, ClipsOfAVideoAreMessagesWithTheirTimes) {
  ScoreRow row;
  row.kind = "video";
  row.where = "a.jsonl:1";
  row.clip_start_s = 1.5;
  row.clip_end_s = 4;
  row.scores["duration_s"] = 10;
  CurateConfig config;
  config.exports.prompt = "What happens?";
  const OrderedJson part = training_record(row, "v.mp4", "It falls.", config);
  EXPECT_EQ(
      part.dump(),
      R"({"id":"a.jsonl:1","messages":[{"role":"user","content":[{"type":"video","video":"v.mp4","start":1.5,"end":4.0},)"
      R"({"type":"text","text":"What happens?"}]},{"role":"assistant","content":"It falls."}]})");
  const data::ParsedRecord parsed =
      data::parse_record(Json::parse(part.dump()), data::RecordFormat::kAuto, nullptr);
  ASSERT_EQ(parsed.conversation.size(), 2u);
  EXPECT_EQ(parsed.conversation[0].parts[0].start, 1.5);
  EXPECT_EQ(parsed.conversation[0].parts[0].end, 4);

  row.clip_start_s = 0;
  row.clip_end_s = 9.8;
  EXPECT_EQ(
      training_record(row, "v.mp4", "It falls.", config).dump(),
      R"({"id":"a.jsonl:1","video":["v.mp4"],"conversations":[{"from":"human","value":"<video>\nWhat happens?"},)"
      R"({"from":"gpt","value":"It falls."}]})");
}

}  // namespace
}  // namespace vl3::curate
