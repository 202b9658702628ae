#include "data/record_parser.h"

#include <gtest/gtest.h>

#include "data/bad_sample.h"
#include "support/temp_dir.h"

namespace vl3::data {
namespace {

ParsedRecord parse(const std::string& json, RecordFormat format = RecordFormat::kAuto) {
  return parse_record(parse_json(json, "test"), format,
                      [](const std::string& reference) { return std::vector<std::string>{reference}; });
}

/// "" for a record that parses.
std::string kind_of(const std::string& json, std::string* message = nullptr) {
  try {
    parse(json);
  } catch (const BadSample& bad) {
    if (message != nullptr) *message = bad.what();
    return bad_kind_name(bad.kind());
  }
  return "";
}

const std::string kTurns = R"("conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Yes."}])";

std::string text_of(const text::Message& message) {
  std::string out;
  for (const text::ContentPart& part : message.parts) {
    out += part.kind == text::PartKind::kText ? "[" + part.text + "]" : "(" + part.media + ")";
  }
  return out;
}

TEST(RecordParser, CutsTagsOutAndStripsOnlyWhatPeopleSaid) {
  const ParsedRecord record = parse(
      R"({"id":7,"image":["a.png","b.png"],"video":null,"conversations":[
          {"from":"gpt","value":"dropped"},{"from":"system","value":" kept "},
          {"from":"human","value":"\u3000First <image>\n then<image> \u00a0\n"},{"from":"gpt","value":" as is\n"}]})");
  EXPECT_EQ(record.id, "7");
  ASSERT_EQ(record.conversation.size(), 3u);
  EXPECT_EQ(record.conversation[0].role, text::Role::kSystem);
  EXPECT_EQ(text_of(record.conversation[0]), "[ kept ]");
  EXPECT_EQ(text_of(record.conversation[1]), "[First](a.png)[then](b.png)");
  EXPECT_EQ(text_of(record.conversation[2]), "[ as is\n]");
}

TEST(RecordParser, ATagThatStandsNowhereGoesBeforeTheFirstQuestion) {
  const ParsedRecord record = parse(
      R"({"video":["v.mp4"],"conversations":[{"from":"system","value":"S"},{"from":"human","value":"Q"},{"from":"x","value":"A"}]})");
  EXPECT_EQ(text_of(record.conversation[0]), "[S]");
  EXPECT_EQ(text_of(record.conversation[1]), "(v.mp4)[Q]");
  EXPECT_EQ(record.conversation[2].role, text::Role::kAssistant);
}

TEST(RecordParser, OfImageAndVideoTheImageCounts) {
  EXPECT_EQ(text_of(parse(R"({"image":"a.png","video":["v.mp4"],)" + kTurns + "}").conversation[0]),
            "(a.png)[Hi]");
}

TEST(RecordParser, ReadsMessagesWithMixedMedia) {
  const ParsedRecord record = parse(R"({"id":"m","messages":[
      {"role":"user","content":[{"type":"image_url","image_url":{"url":"a.png"}},{"type":"video","video":"v.mp4"},{"type":"text","text":" Q "}]},
      {"role":"assistant","content":"A"}]})");
  EXPECT_EQ(record.id, "m");
  EXPECT_EQ(text_of(record.conversation[0]), "(a.png)(v.mp4)[ Q ]");
}

TEST(RecordParser, ReadsStreams) {
  const ParsedRecord record = parse(R"({"stream":true,"video":["v.mp4"],"start_time":1,"end_time":4.5,
      "conversation":[{"role":"user","content":"Q","time":0},{"role":"assistant","content":"A","time":2.5}]})");
  EXPECT_TRUE(record.stream);
  EXPECT_EQ(record.stream_video, "v.mp4");
  EXPECT_EQ(record.end_s, 4.5);
  ASSERT_EQ(record.turns.size(), 2u);
  EXPECT_EQ(record.turns[1].time_s, 2.5);
}

TEST(RecordParser, HostileAnnotationsHaveTheirOwnErrors) {
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "schema"},
      {"{}", "schema"},
      {R"({"conversations":null})", "schema"},
      {R"({"conversations":{"from":"human"}})", "schema"},
      {R"({"conversations":[1,2]})", "schema"},
      {R"({"conversations":[{"from":"human","value":["x"]},{"from":"gpt","value":"y"}]})", "schema"},
      {R"({"conversations":[{"from":3,"value":"x"},{"from":"gpt","value":"y"}]})", "schema"},
      {R"({"conversations":[{"value":"x"},{"from":"gpt","value":"y"}]})", "schema"},
      {R"({"conversations":[]})", "too_few_turns"},
      {R"({"image":17,)" + kTurns + "}", "schema"},
      {R"({"image":"",)" + kTurns + "}", "schema"},
      {R"({"image":[["a"]],)" + kTurns + "}", "schema"},
      {R"({"image":[],)" + kTurns + "}", "tag_count"},
      {R"({"video":"v.mp4",)" + kTurns + "}", "video_field"},
      {R"({"video":[],)" + kTurns + "}", "video_field"},
      {R"({"video":[1],)" + kTurns + "}", "schema"},
      {R"({"image":"a","conversations":[{"from":"human","value":"Q"},{"from":"gpt","value":"an <image> here"}]})",
       "tag_count"},
      {R"({"video":["a"],"conversations":[{"from":"human","value":"<video><image>"},{"from":"gpt","value":"A"}]})",
       "tag_count"},
      {R"({"messages":5})", "schema"},
      {R"({"messages":[]})", "schema"},
      {R"({"messages":[{"role":"user","content":"Q"}]})", "too_few_turns"},
      {R"({"messages":[{"role":"user","content":"Q"},{"role":"user","content":"Q"}]})", "no_assistant"},
      {R"({"messages":[{"role":"tool","content":"Q"},{"role":"assistant","content":"A"}]})", "schema"},
      {R"({"stream":1,"video":"v"})", "video_field"},
      {R"({"stream":1,"video":["v"],"start_time":"0","end_time":1,"conversation":[]})", "schema"},
      {R"({"stream":1,"video":["v"],"start_time":0,"end_time":1e99,"conversation":[]})", "schema"},
      {R"({"stream":1,"video":["v"],"start_time":5,"end_time":1,"conversation":[]})", "schema"},
      {R"({"stream":1,"video":["v"],"start_time":0,"end_time":1,"conversation":[]})", "no_assistant"},
      {R"({"stream":1,"video":["v"],"start_time":0,"end_time":1,"conversation":[{"role":"assistant","content":"A"}]})",
       "schema"},
      {R"({"stream":1,"video":["v"],"start_time":0,"end_time":1,"conversation":[{"role":"ghost","content":"A","time":0}]})",
       "schema"},
  };
  for (const auto& [json, kind] : cases) {
    std::string message;
    EXPECT_EQ(kind_of(json, &message), kind) << json << "\n" << message;
    EXPECT_LT(message.size(), 400u) << "a hostile value fills the log";
  }
}

TEST(RecordParser, FalseStreamIsAnOrdinaryRecord) {
  for (const char* value : {"false", "0", "null", "\"\"", "[]"}) {
    EXPECT_EQ(kind_of(std::string(R"({"stream":)") + value + "," + kTurns + "}"), "") << value;
  }
}

TEST(RecordParser, KnowsTheIdOfTextThatIsNoJson) {
  EXPECT_EQ(id_of_broken(R"({"id": "a-7", "image": )"), "a-7");
  EXPECT_EQ(id_of_broken(R"({"x": 1, "id":12, )"), "12");
  EXPECT_EQ(id_of_broken(R"({"id": "cut)"), "");
  EXPECT_EQ(id_of_broken(R"({"id": "a\"b"})"), "");
  EXPECT_EQ(id_of_broken(R"({"id": [1], )"), "");
  EXPECT_EQ(id_of_broken(R"({"id")"), "");
  EXPECT_EQ(id_of_broken("{}"), "");
}

TEST(RecordParser, ANulInAPathIsSaid) {
  Json json = Json::parse(
      R"({"image": "x", "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "A"}]})");
  json["image"] = std::string("a\0b.png", 7);
  const std::string error = test::error_of([&] {
    parse_record(json, RecordFormat::kOfficial, [](const std::string& name) { return std::vector{name}; });
  });
  EXPECT_NE(error.find("\"image\" holds a NUL byte"), std::string::npos) << error;
}

}  // namespace
}  // namespace vl3::data
