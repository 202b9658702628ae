#include "serve/openai/generation_fields.h"

#include "serve/openai/parsed.h"

namespace vl3::serve {
namespace {

using test::failing_param;
using test::parse_chat;

TEST(GenerationFields, ByTheirOpenAiAndVllmNames) {
  const ApiRequest request =
      parse_chat(R"({"max_tokens":5,"max_completion_tokens":7,"temperature":0.5,"top_p":0.9,"top_k":-1,
    "min_p":0.1,"repetition_penalty":1.1,"frequency_penalty":0.5,"presence_penalty":-0.5,"seed":-1,"stop":"x","min_tokens":2,
    "stop_token_ids":[3],"ignore_eos":true,"skip_special_tokens":false,"logit_bias":{"5":-100},"n":2,"best_of":2,
    "priority":3,"cache_salt":"s","request_id":"a-1","logprobs":true,"top_logprobs":4,"user":"u"})");
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
  EXPECT_EQ(request.job.priority, 3);
  EXPECT_EQ(request.job.cache_salt, "s");
  EXPECT_EQ(request.request_id, "a-1");
  EXPECT_EQ(request.job.top_logprobs, 4);
  EXPECT_TRUE(request.unknown.empty());
}

TEST(GenerationFields, RandomSeedsWhereNoneIsGiven) {
  EXPECT_NE(parse_chat("{}").job.options.generation.seed, parse_chat("{}").job.options.generation.seed);
}

TEST(GenerationFields, MinusOneTokensAreNoLimit) {
  const RequestLimits limits{.default_max_tokens = 10, .max_tokens = 50};
  const auto most = [&](const char* fields) {
    return parse_chat(fields, limits).job.options.generation.max_tokens;
  };
  EXPECT_EQ(most("{}"), 10);
  EXPECT_EQ(most(R"({"max_tokens":null})"), 10);
  for (const char* key : {"max_tokens", "max_completion_tokens", "n_predict"}) {
    const std::string name = std::string("{\"") + key + "\":";
    EXPECT_EQ(most((name + "-1}").c_str()), 50) << key;
    EXPECT_EQ(most((name + "7}").c_str()), 7) << key;
    for (const char* wrong : {"-2}", "0}", "51}", "\"7\"}", "1.5}"})
      EXPECT_EQ(failing_param(name + wrong, limits), key) << wrong;
  }
  EXPECT_EQ(most(R"({"n_predict":9,"max_tokens":8,"max_completion_tokens":-1})"), 50);
  EXPECT_EQ(most(R"({"n_predict":9,"max_tokens":8})"), 8);
}

TEST(GenerationFields, NoClientGetsBeforeAllOthers) {
  EXPECT_EQ(parse_chat(R"({"priority":-1000})").job.priority, 0);
  EXPECT_EQ(parse_chat(R"({"priority":1000})").job.priority, 1000);
  EXPECT_EQ(parse_chat(R"({"priority":-1000})", {.least_priority = -5}).job.priority, -5);
  EXPECT_EQ(failing_param(R"({"priority":1e12})"), "priority");
}

TEST(GenerationFields, RequestIdsFitAHeaderAndALogLine) {
  EXPECT_EQ(parse_chat("{}").request_id, "");
  EXPECT_EQ(parse_chat(R"({"request_id":"chat/7:a_b-c.d"})").request_id, "chat/7:a_b-c.d");
  for (const char* wrong : {R"("a\r\nX-Evil: 1")", R"("a b")", R"("\u0000")", R"("ä")", R"("\u007f")", "7"})
    EXPECT_EQ(failing_param(std::string(R"({"request_id":)") + wrong + "}"), "request_id") << wrong;
  EXPECT_EQ(failing_param(R"({"request_id":")" + std::string(129, 'a') + "\"}"), "request_id");
}

TEST(GenerationFields, BestOfIsOnlyAnotherWordForN) {
  EXPECT_EQ(failing_param(R"({"n":1,"best_of":3})"), "best_of");
}

TEST(GenerationFields, StreamOptionsGoWithStreamOnly) {
  EXPECT_TRUE(parse_chat(R"({"stream":true,"stream_options":{"include_usage":true}})").include_usage);
  EXPECT_EQ(failing_param(R"({"stream_options":{"include_usage":true}})"), "stream_options");
}

}  // namespace
}  // namespace vl3::serve
