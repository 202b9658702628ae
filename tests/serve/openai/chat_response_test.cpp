#include "serve/openai/chat_response.h"

#include <gtest/gtest.h>

namespace vl3::serve {
namespace {

const std::vector<std::string> kTokens = {"Gr\xc3", "\xbc\xc3\x9f", "e",
                                          " du"};  // "Grüße du", ü in two tokens

ChatWriter writer(ChatWriter::Kind kind, std::string echo = "") {
  return ChatWriter({.kind = kind,
                     .id = "id",
                     .model = "m",
                     .logprobs = true,
                     .echo = std::move(echo),
                     .token_text = [](int64_t id) { return kTokens[static_cast<size_t>(id)]; }});
}

Delta delta(const std::string& text, std::initializer_list<int64_t> ids, int choice = 0) {
  Delta step;
  step.choice = choice;
  step.text = text;
  for (const int64_t id : ids) step.tokens.push_back({.id = id, .logprob = -1, .top = {}});
  return step;
}

TEST(ChatWriter, TextOffsetsAreCharactersOfTheAnswer) {
  const OrderedJson whole =
      writer(ChatWriter::Kind::kCompletion).whole({delta("Grüße du", {0, 1, 2, 3})}, JobResult());
  const OrderedJson& logprobs = whole["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["text_offset"], (OrderedJson{0, 2, 4, 5}));
  EXPECT_EQ(logprobs["tokens"].size(), 4u);
}

TEST(ChatWriter, TextOffsetsGoOnThroughAStream) {
  ChatWriter stream = writer(ChatWriter::Kind::kCompletion);
  const auto offsets = [](const OrderedJson& chunk) {
    return chunk["choices"][0]["logprobs"]["text_offset"];
  };
  EXPECT_EQ(offsets(stream.delta_chunk(delta("Gr", {0}))), OrderedJson::array({0}));
  EXPECT_EQ(offsets(stream.delta_chunk(delta("Gr", {0}, 1))), OrderedJson::array({0}));
  EXPECT_EQ(offsets(stream.delta_chunk(delta("üß", {1}))), OrderedJson::array({2}));
  EXPECT_EQ(offsets(stream.delta_chunk(delta("e du", {2, 3}))), (OrderedJson{4, 5}));
}

TEST(ChatWriter, EchoStandsBeforeEveryAnswer) {
  OrderedJson whole = writer(ChatWriter::Kind::kChat, "It is ").whole({delta("e", {2})}, JobResult());
  EXPECT_EQ(whole["choices"][0]["message"]["content"], "It is e");
  EXPECT_EQ(whole["choices"][0]["logprobs"]["content"].size(), 1u);
  whole = writer(ChatWriter::Kind::kCompletion, "It is ").whole({delta("e", {2})}, JobResult());
  EXPECT_EQ(whole["choices"][0]["text"], "It is e");
}

TEST(ChatWriter, AStreamEchoesOnceAChoice) {
  ChatWriter chat = writer(ChatWriter::Kind::kChat, "It is ");
  EXPECT_EQ(chat.opening_chunk(0)["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(chat.delta_chunk(delta("e", {2}))["choices"][0]["delta"]["content"], "It is e");
  EXPECT_EQ(chat.delta_chunk(delta("e", {2}))["choices"][0]["delta"]["content"], "e");
  EXPECT_EQ(chat.closing_chunk(delta("", {}))["choices"][0]["delta"], OrderedJson::object());
  // An answer that ended without a word.
  EXPECT_EQ(chat.closing_chunk(delta("", {}, 1))["choices"][0]["delta"]["content"], "It is ");
  ChatWriter completion = writer(ChatWriter::Kind::kCompletion, "Once");
  EXPECT_EQ(completion.closing_chunk(delta("", {}))["choices"][0]["text"], "Once");
}

}  // namespace
}  // namespace vl3::serve
