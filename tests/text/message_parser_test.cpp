#include <gtest/gtest.h>

#include <array>

#include "support/temp_dir.h"
#include "text/conversation.h"

namespace vl3::text {
namespace {

using vl3::test::error_of;

Conversation parse(const std::string& text) {
  return parse_openai_messages(parse_json(text, "test"), "messages");
}

ContentPart part(const std::string& json) {
  const Conversation conversation = parse(R"([{"role":"user","content":[)" + json + "]}]");
  return conversation.at(0).parts.at(0);
}

std::string part_error(const std::string& json) {
  return error_of([&] { part(json); });
}

TEST(MessageParser, ReadsStringsPartsAndBareStrings) {
  const Conversation conversation = parse(
      R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":["a",{"type":"text","text":"b"}]},
          {"role":"assistant","content":"","refusal":null,"tool_calls":[]},{"role":"stream","content":[]}]})");
  ASSERT_EQ(conversation.size(), 4u);
  EXPECT_EQ(conversation[0].role, Role::kSystem);
  EXPECT_TRUE(conversation[0].content_was_string);
  EXPECT_EQ(conversation[1].parts.size(), 2u);
  EXPECT_EQ(conversation[1].parts[1].text, "b");
  EXPECT_FALSE(conversation[1].content_was_string);
  EXPECT_EQ(conversation[2].role, Role::kAssistant);
  EXPECT_EQ(conversation[3].role, Role::kStream);
}

TEST(MessageParser, ReadsEverySpellingOfAnImage) {
  for (const char* json :
       {R"({"type":"image_url","image_url":{"url":"x.png","detail":"auto"}})",
        R"({"type":"image_url","image_url":"x.png","uuid":"7"})", R"({"type":"image","image":"x.png"})",
        R"({"type":"image","image":{"image_path":"x.png"}})"}) {
    EXPECT_EQ(part(json).kind, PartKind::kImage);
    EXPECT_EQ(part(json).media, "x.png");
    EXPECT_EQ(part(json).prompt_frames(), 1);
  }
  EXPECT_EQ(part(R"({"type":"image","image":"x","timestamp":1.5})").timestamp, 1.5);
}

TEST(MessageParser, ReadsEverySpellingOfAVideo) {
  for (const char* json :
       {R"({"type":"video_url","video_url":{"url":"v.mp4"}})", R"({"type":"video_url","video_url":"v.mp4"})",
        R"({"type":"input_video","input_video":{"url":"v.mp4"}})", R"({"type":"video","video":"v.mp4"})",
        R"({"type":"video","video":{"video_path":"v.mp4"}})"}) {
    EXPECT_EQ(part(json).kind, PartKind::kVideo);
    EXPECT_EQ(part(json).media, "v.mp4");
    EXPECT_EQ(part(json).prompt_frames(), std::nullopt);
  }
}

TEST(MessageParser, ReadsFramesTimestampsAndSampling) {
  const ContentPart frames = part(R"({"type":"video","video":["a.png","b.png"],"timestamps":[0,1.5]})");
  EXPECT_EQ(frames.frames, (std::vector<std::string>{"a.png", "b.png"}));
  EXPECT_EQ(frames.timestamps, (std::vector<double>{0, 1.5}));
  EXPECT_EQ(frames.prompt_frames(), 2);
  EXPECT_EQ(part(R"({"type":"video","frames":["a"],"source":"c.mp4","fps":1,"max_frames":8})").source,
            "c.mp4");
  const ContentPart window =
      part(R"({"type":"video_url","video_url":"v","fps":0.5,"max_frames":7,"start":60,"end":150.5})");
  EXPECT_EQ(window.fps, 0.5);
  EXPECT_EQ(window.max_frames, 7);
  EXPECT_EQ(window.start, 60);
  EXPECT_EQ(window.end, 150.5);
  const ContentPart official = part(
      R"({"type":"video","video":{"video_path":"v","fps":2,"max_frames":9,"start_time":1,"end_time":2}})");
  EXPECT_EQ(official.fps, 2);
  EXPECT_EQ(official.max_frames, 9);
  EXPECT_EQ(official.start, 1);
  EXPECT_EQ(official.end, 2);
}

TEST(MessageParser, NamesWhatIsWrongAndWhere) {
  const std::vector<std::array<const char*, 2>> table = {
      {R"([])", "messages: a list of at least one message"},
      {R"(5)", "messages: a list of at least one message"},
      {R"({"messages":[],"x":1})", "unknown key \"x\""},
      {R"([5])", "messages[0] must be an object, found 5"},
      {R"([{"role":"user"}])", "messages[0]: \"content\" is missing"},
      {R"([{"content":"x"}])", "messages[0]: \"role\" is missing"},
      {R"([{"role":"user","content":null}])", "\"content\" is missing"},
      {R"([{"role":"user","content":5}])", "\"content\" must be a string or a list"},
      {R"([{"role":"user","content":"a"},{"role":"tool","content":"x"}])",
       "unsupported: messages[1]: role \"tool\""},
      {R"([{"role":"boss","content":"x"}])", "unknown role \"boss\"; use system, user"},
      {R"([{"role":5,"content":"x"}])", "\"role\" must be a string, found 5"},
      {R"([{"role":"user","content":"x","colour":1}])", "unknown key \"colour\""},
      {R"([{"role":"assistant","content":"x","tool_calls":[{}]}])", "\"tool_calls\" is not supported"},
      {R"([{"role":"user","content":[5]}])", "messages[0].content[0] must be an object, found 5"},
      {R"([{"role":"user","content":["a",{"text":"x"}]}])", "messages[0].content[1]: \"type\" is missing"},
  };
  for (const auto& [json, says] : table) {
    const std::string error = error_of([&, &text = json] { parse(text); });
    EXPECT_NE(error.find(says), std::string::npos) << json << ": " << error;
  }
}

TEST(MessageParser, NamesWhatIsWrongInAPart) {
  const std::vector<std::array<const char*, 2>> table = {
      {R"({"type":"input_audio","input_audio":{}})",
       "unsupported: messages[0].content[0]: content type \"input_audio\""},
      {R"({"type":"smell"})", "unknown content type \"smell\"; use text"},
      {R"({"type":"text","text":5})", "\"text\" must be a string"},
      {R"({"type":"text","text":"x","image":"y"})", "unknown key \"image\"; allowed: type, text"},
      {R"({"type":"image"})", "\"image\" is missing"},
      {R"({"type":"image","image":""})", "must be a path or URL"},
      {R"({"type":"image","image":["a"]})", "must be a path or URL"},
      {R"({"type":"image_url","image_url":{}})", "\"url\" is missing"},
      {R"({"type":"image_url","image_url":{"url":"a","size":1}})", "unknown key \"size\""},
      {R"({"type":"image","image":"a","timestamp":"now"})", "\"timestamp\" must be a number"},
      {R"({"type":"video","video":[]})", "must be a list of 1..65536 pictures"},
      {R"({"type":"video","video":["a",5]})", "[1] must be a path or URL, found 5"},
      {R"({"type":"video","video":"v","frames":["a"]})", "both \"video\" and \"frames\""},
      {R"({"type":"video","frames":["a","b"],"timestamps":[1]})", "1 timestamps for 2 frames"},
      {R"({"type":"video","frames":["a"],"num_frames":2})", "\"num_frames\" is 2, but there are 1"},
      {R"({"type":"video","video":"v","timestamps":[]})", "\"timestamps\" must be a list of 1.."},
      {R"({"type":"video","video":"v","timestamps":[1e300]})", "must be a number in"},
      {R"({"type":"video","video":"v","timestamps":["1"]})", "must be a number in"},
      {R"({"type":"video","video":"v","num_frames":0})", "\"num_frames\" must be an integer in 1..65536"},
      {R"({"type":"video","video":"v","num_frames":1000000000})", "must be an integer in 1..65536"},
      {R"({"type":"video","video":"v","fps":0})", "\"fps\" must be above 0"},
      {R"({"type":"video","video":"v","fps":-1})", "\"fps\" must be a number in 0.."},
      {R"({"type":"video","video":"v","max_frames":1.5})", "\"max_frames\" must be an integer"},
      {R"({"type":"video","video":"v","start":5,"end":5})", "the end 5 s does not come after the start 5 s"},
      {R"({"type":"video","video":{"video_path":"v","speed":2}})", "unknown key \"speed\""},
  };
  for (const auto& [json, says] : table) {
    EXPECT_NE(part_error(json).find(says), std::string::npos) << json << ": " << part_error(json);
  }
}

TEST(MessageParser, BoundsTheFramesOfAConversation) {
  Json content = Json::array();
  for (int i = 0; i < 5; ++i) content.push_back({{"type", "video"}, {"video", "v"}, {"num_frames", 65536}});
  const Json json = Json::array({Json{{"role", "user"}, {"content", content}}});
  EXPECT_TRUE(error_of([&] { parse_openai_messages(json, "m"); }).starts_with("limit reached"));
}

}  // namespace
}  // namespace vl3::text
