#include "serve/openai/chat_request.h"

#include <gtest/gtest.h>

#include "serve/openai/api_error.h"

namespace vl3::serve {
namespace {

ApiRequest parse(const char* fields, const RequestLimits& limits = {}) {
  Json body = parse_json(fields, "test");
  if (!body.contains("messages")) body["messages"] = {{{"role", "user"}, {"content", "hi"}}};
  return parse_chat_request(body, limits);
}

std::string failing_param(const char* fields, const RequestLimits& limits = {}) {
  try {
    parse(fields, limits);
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 400) << error.what();
    return error.param();
  }
  return "nothing failed";
}

TEST(ChatRequest, GenerationFieldsByTheirOpenAiAndVllmNames) {
  const ApiRequest request =
      parse(R"({"max_tokens":5,"max_completion_tokens":7,"temperature":0.5,"top_p":0.9,"top_k":-1,
    "min_p":0.1,"repetition_penalty":1.1,"frequency_penalty":0.5,"presence_penalty":-0.5,"seed":-1,"stop":"x","min_tokens":2,
    "stop_token_ids":[3],"ignore_eos":true,"skip_special_tokens":false,"logit_bias":{"5":-100},"n":2,"priority":-3,
    "cache_salt":"s","logprobs":true,"top_logprobs":4,"user":"u"})");
  const GenerationConfig& config = request.job.options.generation;
  EXPECT_EQ(config.max_tokens, 7);
  EXPECT_EQ(config.temperature, 0.5);
  EXPECT_EQ(config.top_k, 0);
  EXPECT_EQ(config.seed, UINT64_MAX);
  EXPECT_EQ(config.stop, std::vector<std::string>{"x"});
  EXPECT_EQ(config.stop_token_ids, std::vector<int64_t>{3});
  EXPECT_EQ(config.min_tokens, 2);
  EXPECT_EQ(config.logit_bias.at(5), -100);
  EXPECT_EQ(config.frequency_penalty, 0.5);
  EXPECT_TRUE(config.ignore_eos);
  EXPECT_FALSE(config.skip_special_tokens);
  EXPECT_EQ(request.job.n, 2);
  EXPECT_EQ(request.job.priority, -3);
  EXPECT_EQ(request.job.top_logprobs, 4);
  EXPECT_TRUE(request.unknown.empty());
}

TEST(ChatRequest, RandomSeedsWhereNoneIsGiven) {
  EXPECT_NE(parse("{}").job.options.generation.seed, parse("{}").job.options.generation.seed);
}

TEST(ChatRequest, UnknownFieldsAreNamedNotRefused) {
  EXPECT_EQ(parse(R"({"frobnicate":1})").unknown, std::vector<std::string>{"frobnicate"});
}

TEST(ChatRequest, Constraints) {
  EXPECT_EQ(
      parse(
          R"({"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"},"strict":true}}})")
          .job.options.generation.json_schema,
      R"({"type":"object"})");
  EXPECT_TRUE(parse(R"({"response_format":{"type":"json_object"}})").job.options.generation.json_object);
  EXPECT_EQ(parse(R"({"structured_outputs":{"choice":["a.b","c"]}})").job.options.generation.regex,
            R"((a\.b)|(c))");
  EXPECT_EQ(failing_param(R"({"structured_outputs":{"grammar":"root ::= x"}})"),
            "structured_outputs.grammar");
}

TEST(ChatRequest, SamplingOfVideosInEverySpelling) {
  AskOptions options = parse(R"({"media_io_kwargs":{"video":{"num_frames":8}}})").job.options;
  EXPECT_EQ(options.max_frames, 8);
  EXPECT_GT(options.fps, 100);
  options = parse(R"({"media_io_kwargs":{"video":{"fps":2,"num_frames":-1}}})").job.options;
  EXPECT_EQ(options.fps, 2);
  EXPECT_FALSE(options.max_frames);
  options = parse(R"({"mm_processor_kwargs":{"fps":3}})").job.options;
  EXPECT_EQ(options.fps, 3);
  options = parse(R"({"fps":0.5,"max_frames":9,"start":1,"end":2,"prune_to":50})").job.options;
  EXPECT_EQ(options.fps, 0.5);
  EXPECT_EQ(options.prune.max_tokens, 50);
  EXPECT_EQ(failing_param(R"({"media_io_kwargs":{"video":{"num_frames":0}}})"),
            "media_io_kwargs.video.num_frames");
  EXPECT_EQ(failing_param(R"({"max_frames":1000})", {.max_frames = 100}), "max_frames");
}

TEST(ChatRequest, PartsAsOtherServersClientsSendThem) {
  const Conversation conversation =
      parse(R"({"messages":[{"role":"developer","content":"be brief"},{"role":"user","content":[
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

TEST(ChatRequest, CountsMedia) {
  EXPECT_EQ(failing_param(R"({"messages":[{"role":"user","content":[
    {"type":"image_url","image_url":"data:,"},{"type":"image_url","image_url":"data:,"}]}]})",
                          {.max_media = 1}),
            "messages");
}

TEST(ChatRequest, BoundsTheFramesThatAPartAsksFor) {
  EXPECT_EQ(failing_param(R"({"messages":[{"role":"user","content":[
    {"type":"video_url","video_url":"data:,","num_frames":1000}]}]})",
                          {.max_frames = 100}),
            "messages[0]");
}

TEST(ChatRequest, CompletionsTakeTextOrIds) {
  EXPECT_EQ(parse_completion_request({{"prompt", "abc"}}, {}).job.prompt, "abc");
  EXPECT_EQ(parse_completion_request({{"prompt", {"abc"}}}, {}).job.prompt, "abc");
  EXPECT_EQ(parse_completion_request({{"prompt", {1, 2}}}, {}).job.token_ids, (std::vector<int64_t>{1, 2}));
  EXPECT_THROW(parse_completion_request({{"prompt", {"a", "b"}}}, {}), ApiError);
  EXPECT_THROW(parse_completion_request({{"prompt", {-1}}}, {}), ApiError);
  EXPECT_THROW(parse_completion_request({{"prompt", 1}}, {}), ApiError);
}

}  // namespace
}  // namespace vl3::serve
