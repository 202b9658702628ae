#include "serve/openai/unsupported_fields.h"

#include "serve/openai/parsed.h"

namespace vl3::serve {
namespace {

using test::failing_param;
using test::param_of;

// Each would read an answer to another question, were it passed over.
TEST(UnsupportedFields, AreRefusedWhereTheyAskForSomething) {
  const std::pair<const char*, const char*> asking[] = {{"prompt_logprobs", "0"},
                                                        {"use_beam_search", "true"},
                                                        {"include_stop_str_in_output", "true"},
                                                        {"stop_regex", "\"a+\""},
                                                        {"truncate_prompt_tokens", "5"},
                                                        {"allowed_token_ids", "[1]"},
                                                        {"bad_words", "[\"x\"]"},
                                                        {"logits_processors", "[\"x\"]"},
                                                        {"logprob_token_ids", "[1]"},
                                                        {"return_tokens_as_token_ids", "true"},
                                                        {"return_token_ids", "true"},
                                                        {"prompt_embeds", "\"AAAA\""}};
  for (const auto& [key, value] : asking) {
    const std::string fields = std::string("{\"") + key + "\":" + value + "}";
    EXPECT_EQ(failing_param(fields), key);
    EXPECT_EQ(param_of([&] { test::parse_completion(fields); }), key);
  }
}

TEST(UnsupportedFields, AreTakenWhereTheyAskForNothing) {
  EXPECT_TRUE(test::parse_chat(R"({"prompt_logprobs":null,"use_beam_search":false,"bad_words":[],
    "chat_template":"","chat_template_kwargs":{},"documents":[],"modalities":["text"],"tools":[],
    "tool_choice":"auto","functions":null,"parallel_tool_calls":true})")
                  .unknown.empty());
}

TEST(UnsupportedFields, OfChats) {
  for (const auto& [key, value] : {std::pair{"chat_template", "\"x\""},
                                   {"chat_template_kwargs", R"({"a":1})"},
                                   {"documents", R"([{"text":"x"}])"},
                                   {"audio", R"({"voice":"x"})"},
                                   {"modalities", R"(["text","audio"])"}})
    EXPECT_EQ(failing_param(std::string("{\"") + key + "\":" + value + "}"), key);
}

TEST(UnsupportedFields, ToolsUnlessNoneMayBeCalled) {
  EXPECT_EQ(failing_param(R"({"tools":[{"type":"function"}]})"), "tools");
  EXPECT_EQ(failing_param(R"({"tools":[{"type":"function"}],"tool_choice":"none"})"), "nothing failed");
  EXPECT_EQ(failing_param(R"({"tool_choice":"required"})"), "tool_choice");
  EXPECT_EQ(failing_param(R"({"functions":[{"name":"f"}]})"), "functions");
  EXPECT_EQ(failing_param(R"({"functions":[{"name":"f"}],"function_call":"none"})"), "nothing failed");
  EXPECT_EQ(failing_param(R"({"function_call":{"name":"f"}})"), "function_call");
}

}  // namespace
}  // namespace vl3::serve
