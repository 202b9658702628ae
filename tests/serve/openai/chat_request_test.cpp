#include "serve/openai/chat_request.h"

#include "serve/openai/parsed.h"

namespace vl3::serve {
namespace {

using test::failing_param;
using test::param_of;
using test::parse_chat;
using test::parse_completion;

TEST(ChatRequest, UnknownFieldsAreNamedNotRefused) {
  EXPECT_EQ(parse_chat(R"({"frobnicate":1})").unknown, std::vector<std::string>{"frobnicate"});
  EXPECT_EQ(parse_chat(R"({"stream":true,"stream_options":{"include_usage":true,"x":1},
    "media_io_kwargs":{"video":{"y":1},"audio":{}},"mm_processor_kwargs":{"z":1}})")
                .unknown,
            (std::vector<std::string>{"stream_options.x", "media_io_kwargs.video.y", "media_io_kwargs.audio",
                                      "mm_processor_kwargs.z"}));
  Json many;
  for (int i = 0; i < 1000; ++i) many["field" + std::to_string(i)] = i;
  EXPECT_EQ(parse_chat(many.dump()).unknown.size(), 100u);
}

TEST(ChatRequest, PartsAsOtherServersClientsSendThem) {
  const Conversation conversation =
      parse_chat(R"({"messages":[{"role":"developer","content":"be brief"},{"role":"user","content":[
    {"type":"image_url","image_url":"data:image/png;base64,AA==","uuid":"a"},
    {"type":"input_video","input_video":{"data":"AAAA","format":"mp4"}},
    {"type":"video_url","video_url":{"url":"data:video/jpeg;base64,AA==,AB=="}},
    {"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]},
    {"role":"assistant","content":null}]})")
          .job.conversation;
  EXPECT_EQ(conversation[0].role, Role::kSystem);
  const auto& parts = conversation[1].parts;
  EXPECT_EQ(parts[0].media, "data:image/png;base64,AA==");
  EXPECT_EQ(parts[1].media, "data:video/mp4;base64,AAAA");
  EXPECT_EQ(parts[2].frames,
            (std::vector<std::string>{"data:image/jpeg;base64,AA==", "data:image/jpeg;base64,AB=="}));
  EXPECT_EQ(conversation[2].parts[0].text, "");
}

TEST(ChatRequest, EchoesTheMessageThatIsContinued) {
  const char* continued = R"({"echo":true,"continue_final_message":true,"messages":[{"role":"user",
    "content":"hi"},{"role":"assistant","content":[{"type":"text","text":"It is"},{"type":"text","text":" a"}]}]})";
  EXPECT_TRUE(parse_chat(continued).echo);
  EXPECT_EQ(parse_chat(continued).echo_text, "It is a");
  EXPECT_EQ(parse_chat(R"({"echo":true,"add_generation_prompt":false})").echo_text, "hi");
  // Another author's message is not repeated.
  EXPECT_EQ(parse_chat(R"({"echo":true})").echo_text, "");
  EXPECT_EQ(parse_chat(R"({"continue_final_message":true,"messages":[{"role":"assistant","content":"x"}]})")
                .echo_text,
            "");
}

TEST(ChatRequest, OnlyATextOfTheAssistantGoesOn) {
  EXPECT_EQ(failing_param(R"({"continue_final_message":true})"), "messages");
  EXPECT_EQ(failing_param(R"({"continue_final_message":true,"messages":[{"role":"assistant","content":[
    {"type":"image_url","image_url":"data:,"}]}]})"),
            "messages");
}

TEST(ChatRequest, CompletionsTakeTextOrIds) {
  EXPECT_EQ(parse_completion_request({{"prompt", "abc"}}, {}).job.prompt, "abc");
  EXPECT_EQ(parse_completion_request({{"prompt", {"abc"}}}, {}).job.prompt, "abc");
  EXPECT_EQ(parse_completion_request({{"prompt", {1, 2}}}, {}).job.token_ids, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(parse_completion(R"({"prompt":[[1,2]]})").job.token_ids, (std::vector<int64_t>{1, 2}));
  for (const char* prompt : {"[-1]", "1", "[]", "[[]]", "\"\"", "[\"\"]", "[1,\"a\"]", "[null]"})
    EXPECT_EQ(param_of([&] { parse_completion(std::string(R"({"prompt":)") + prompt + "}"); }), "prompt")
        << prompt;
}

TEST(ChatRequest, SeveralPromptsAreRefusedByName) {
  for (const char* prompts : {R"(["a","b"])", "[[1],[2]]"}) {
    try {
      parse_completion(std::string(R"({"prompt":)") + prompts + "}");
      ADD_FAILURE() << prompts;
    } catch (const ApiError& error) {
      EXPECT_NE(std::string(error.what()).find("2 prompts; only one"), std::string::npos) << error.what();
    }
  }
}

TEST(ChatRequest, EchoOfACompletionHasNoLogprobsOfThePrompt) {
  EXPECT_EQ(parse_completion(R"({"echo":true})").echo_text, "abc");
  EXPECT_EQ(parse_completion("{}").echo_text, "");
  EXPECT_EQ(parse_completion(R"({"logprobs":2})").job.top_logprobs, 2);
  EXPECT_EQ(param_of([] { parse_completion(R"({"echo":true,"logprobs":0})"); }), "logprobs");
  EXPECT_EQ(param_of([] { parse_completion(R"({"suffix":"x"})"); }), "suffix");
  EXPECT_NO_THROW(parse_completion(R"({"suffix":""})"));
}

TEST(ChatRequest, TokenizeTakesAPromptOrMessages) {
  EXPECT_EQ(parse_tokenize_request({{"prompt", ""}}).job.prompt, "");
  const Json messages = {{{"role", "assistant"}, {"content", "hi"}}};
  const ApiRequest request = parse_tokenize_request(
      {{"messages", messages}, {"add_generation_prompt", false}, {"continue_final_message", true}});
  EXPECT_FALSE(request.job.add_generation_prompt);
  EXPECT_TRUE(request.job.continue_final_message);
  const auto failing = [](const Json& body) { return param_of([&] { parse_tokenize_request(body); }); };
  EXPECT_EQ(failing({{"model", "x"}}), "messages");
  EXPECT_EQ(failing({{"prompt", "x"}, {"messages", messages}}), "prompt");
  EXPECT_EQ(failing({{"messages", messages}, {"chat_template", "x"}}), "chat_template");
  EXPECT_EQ(failing(parse_json(R"({"messages":[{"role":"user","content":[
    {"type":"image_url","image_url":"data:,"}]}]})",
                               "test")),
            "messages");
}

}  // namespace
}  // namespace vl3::serve
