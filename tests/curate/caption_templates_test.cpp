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
