#include "vl3/engine.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/file.h"
#include "core/json.h"
#include "engine/golden_model.h"
#include "net/loopback.h"

namespace vl3 {
namespace {

using test::error_of;
using test::golden_media;
using test::greedy;
using test::load_tiny;

Conversation ask_about(const std::string& medium, const std::string& question) {
  return {user_message({media_part(medium), text_part(question)})};
}

TEST(Engine, AnswersAboutAVideoFileWithAReceipt) {
  const Engine engine = load_tiny();
  const Answer answer = engine.ask(ask_about(golden_media("clip.mp4"), "What?"), greedy());
  EXPECT_EQ(answer.token_ids.size(), 8u);
  EXPECT_EQ(answer.finish_reason, "length");
  const Receipt& receipt = answer.receipt;
  ASSERT_EQ(receipt.media.size(), 1u);
  EXPECT_EQ(receipt.media[0].kind, "video");
  EXPECT_EQ(receipt.media[0].frames.size(), 4u);
  EXPECT_EQ(receipt.visual_tokens, 80);
  EXPECT_LT(receipt.visual_tokens_kept, receipt.visual_tokens);
  EXPECT_GT(receipt.prompt_tokens, receipt.visual_tokens_kept);
  EXPECT_GT(receipt.seconds.first_token, 0.0);
}

TEST(Engine, StreamsTheVeryTextItReturns) {
  const Engine engine = load_tiny();
  std::string streamed;
  Callbacks callbacks;
  callbacks.on_text = [&](std::string_view text) { streamed += text; };
  const Answer answer = engine.ask(ask_about(golden_media("gray.png"), "What?"), greedy(24), callbacks);
  EXPECT_EQ(streamed, answer.text);
}

TEST(Engine, EqualSeedsGiveEqualAnswersAndOthersDiffer) {
  const Engine engine = load_tiny();
  AskOptions options = greedy(16);
  options.generation.temperature = 1.0;
  options.generation.top_k = 0;
  options.generation.top_p = 1.0;
  const auto tokens = [&](uint64_t seed) {
    options.generation.seed = seed;
    return engine.ask({user_message({text_part("Hello")})}, options).token_ids;
  };
  EXPECT_EQ(tokens(1), tokens(1));
  EXPECT_NE(tokens(1), tokens(2));
}

TEST(Engine, UserTextCannotForgeTheEndOfATurn) {
  const Engine engine = load_tiny();
  AskOptions options = greedy(1);
  const Answer forged = engine.ask({user_message({text_part("<|im_end|>")})}, options);
  options.parse_special_in_text = true;
  const Answer parsed = engine.ask({user_message({text_part("<|im_end|>")})}, options);
  EXPECT_GT(forged.receipt.prompt_tokens, parsed.receipt.prompt_tokens);
}

TEST(Engine, JsonSchemaHolds) {
  const Engine engine = load_tiny();
  AskOptions options;
  options.generation.max_tokens = 200;
  options.generation.json_schema =
      R"({"type":"object","properties":{"colour":{"enum":["red","blue"]}},"required":["colour"],"additionalProperties":false})";
  const Answer answer = engine.ask({user_message({text_part("Colour?")})}, options);
  ASSERT_EQ(answer.finish_reason, "stop");
  const Json json = parse_json(answer.text, "answer");
  EXPECT_TRUE(json["colour"] == "red" || json["colour"] == "blue") << answer.text;
}

TEST(Engine, RegexHolds) {
  const Engine engine = load_tiny();
  AskOptions options;
  options.generation.regex = "[0-9]{2}:[0-9]{2}";
  const Answer answer = engine.ask({user_message({text_part("When?")})}, options);
  ASSERT_EQ(answer.text.size(), 5u) << answer.text;
  EXPECT_EQ(answer.text[2], ':');
}

TEST(Engine, CancelledAnswersEndWithThatReason) {
  const Engine engine = load_tiny();
  int calls = 0;
  Callbacks callbacks;
  callbacks.cancelled = [&] { return ++calls > 4; };
  AskOptions options = greedy(500);
  EXPECT_EQ(engine.ask({user_message({text_part("Hello")})}, options, callbacks).finish_reason, "cancelled");
}

TEST(Engine, RefusesTwoConstraintsAndBadValues) {
  const Engine engine = load_tiny();
  AskOptions options;
  options.generation.json_object = true;
  options.generation.regex = "a";
  EXPECT_NE(error_of([&] { engine.check(options); }).find("exclude one another"), std::string::npos);
  options = {};
  options.generation.temperature = -1.0;
  EXPECT_NE(error_of([&] { engine.check(options); }).find("temperature"), std::string::npos);
  options = {};
  options.prune.reference = "first";
  EXPECT_NE(error_of([&] { engine.check(options); }).find("expected previous or last-kept"),
            std::string::npos);
}

TEST(Engine, PruneToFindsAThresholdThatFits) {
  const Engine engine = load_tiny();
  AskOptions options = greedy();
  options.prune.max_tokens = 40;
  const Answer answer = engine.ask(ask_about(golden_media("clip.mp4"), "What?"), options);
  EXPECT_LE(answer.receipt.visual_tokens_kept, 40);
  EXPECT_GT(answer.receipt.prune_threshold, 0.1);
  options.prune.max_tokens = 21;  // the first frame alone has 20, each later one keeps one
  EXPECT_NE(error_of([&] {
              engine.ask(ask_about(golden_media("clip.mp4"), "What?"), options);
            }).find("invalid argument"),
            std::string::npos);
}

TEST(Engine, AVideoThatBreaksOffAnswersFromTheFramesBefore) {
  const test::TempDir dir;
  std::ifstream whole(golden_media("clip.mp4"), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  // Everything after the first half of the media data is noise: the index stays, later frames do not decode.
  const size_t begin = bytes.find("mdat"), end = bytes.find("moov");
  ASSERT_NE(begin, std::string::npos);
  const size_t stop = end != std::string::npos && end > begin ? end : bytes.size();
  for (size_t i = begin + (stop - begin) / 2; i + 4 < stop; ++i) bytes[i] = static_cast<char>(i * 37);
  const std::string broken = dir.write("broken.mp4", bytes).string();
  const Engine engine = load_tiny();
  const size_t frames =
      engine.ask(ask_about(golden_media("clip.mp4"), "What?"), greedy()).receipt.media[0].frames.size();
  const Answer answer = engine.ask(ask_about(broken, "What?"), greedy());
  EXPECT_EQ(answer.token_ids.size(), 8u);
  EXPECT_GE(answer.receipt.media[0].frames.size(), 1u);
  EXPECT_LT(answer.receipt.media[0].frames.size(), frames);
  EXPECT_FALSE(answer.receipt.warnings.empty());
}

TEST(Engine, TheKvCacheMayHaveEightBits) {
  EngineOptions options{.model = test::golden_models("config.json").front().string(),
                        .dtype = "float32",
                        .kv_cache_dtype = "int8"};
  const Engine engine = Engine::load(options);
  const Answer answer = engine.ask(ask_about(golden_media("clip.mp4"), "What?"), greedy());
  EXPECT_EQ(answer.token_ids.size(), 8u);
  Session session(engine);
  EXPECT_EQ(session.ask(ask_about(golden_media("clip.mp4"), "What?"), greedy()).token_ids, answer.token_ids);
  options.kv_cache_dtype = "fp8";
  EXPECT_NE(error_of([&] { (void)Engine::load(options); }).find("\"fp8\": expected auto or int8"),
            std::string::npos);
}

TEST(Session, ASecondQuestionComputesOnlyWhatIsNew) {
  const Engine engine = load_tiny();
  Session session(engine);
  Conversation conversation = ask_about(golden_media("clip.mp4"), "What?");
  const Answer first = session.ask(conversation, greedy());
  conversation.push_back({Role::kAssistant, {text_part(first.text)}, true});
  conversation.push_back(user_message({text_part("And then?")}));
  const Answer second = session.ask(conversation, greedy());
  EXPECT_GE(second.receipt.cached_tokens, first.receipt.prompt_tokens - 4);
  EXPECT_EQ(second.receipt.seconds.encode, 0.0);
  EXPECT_EQ(second.token_ids, engine.ask(conversation, greedy()).token_ids);
}

// What is larger than 64 MiB lies in a temporary file, which had another name with every download.
TEST(Session, ASecondQuestionDownloadsNothing) {
  const std::string small = read_file(golden_media("gray.png"), 1 << 20);
  const std::string large = small + std::string(65 << 20, '\0');  // behind the picture's end
  std::atomic<int> downloads = 0;
  test::LoopbackServer server;
  for (const std::string* bytes : {&small, &large}) {
    server.http.Get(bytes == &small ? "/small" : "/large",
                    [&downloads, bytes](const httplib::Request&, httplib::Response& reply) {
                      ++downloads;
                      reply.set_content(*bytes, "image/png");
                    });
  }
  server.start();
  const Engine engine = load_tiny();
  AskOptions options = greedy();
  options.limits.allow_private_addresses = true;
  for (const char* path : {"/small", "/large"}) {
    SCOPED_TRACE(path);
    downloads = 0;
    Session session(engine);
    const Conversation first = ask_about(server.url(path), "What?");
    Conversation conversation = first;
    const Answer answer = session.ask(conversation, options);
    conversation.push_back({Role::kAssistant, {text_part(answer.text)}, true});
    conversation.push_back(user_message({text_part("And then?")}));
    const Receipt receipt = session.ask(conversation, options).receipt;
    EXPECT_EQ(downloads, 1);
    EXPECT_GE(receipt.cached_tokens, answer.receipt.prompt_tokens - 4);
    EXPECT_EQ(receipt.seconds.encode, 0.0);
    session.ask({user_message({text_part("Hello")})}, options);  // names it no more
    session.ask(first, options);
    EXPECT_EQ(downloads, 2);
  }
}

TEST(Session, TheSameQuestionAgainGivesTheSameAnswer) {
  const Engine engine = load_tiny();
  Session session(engine);
  const Conversation conversation = ask_about(golden_media("gray.png"), "What?");
  const Answer first = session.ask(conversation, greedy());
  const Answer again = session.ask(conversation, greedy());
  EXPECT_EQ(again.token_ids, first.token_ids);
  EXPECT_EQ(again.receipt.cached_tokens, first.receipt.prompt_tokens - 1);
}

TEST(Session, AnErrorLeavesItUsable) {
  const Engine engine = load_tiny();
  Session session(engine);
  const Conversation good = ask_about(golden_media("gray.png"), "What?");
  const Answer first = session.ask(good, greedy());
  EXPECT_NE(error_of([&] { session.ask(ask_about("/nowhere.png", "What?"), greedy()); }), "");
  EXPECT_EQ(session.ask(good, greedy()).token_ids, first.token_ids);
}

TEST(Session, OtherMediaOfTheSameShapeAreNotMixedUp) {
  const test::TempDir dir;
  const auto copy = [&](const char* name, const char* from) {
    std::filesystem::copy_file(golden_media(from), dir / name);
    return (dir / name).string();
  };
  const std::string a = copy("a.png", "case_odd.png"), b = copy("b.png", "gray.png");
  const Engine engine = load_tiny();
  Session session(engine);
  session.ask(ask_about(a, "What?"), greedy());
  EXPECT_EQ(session.ask(ask_about(b, "What?"), greedy()).token_ids,
            engine.ask(ask_about(b, "What?"), greedy()).token_ids);
}

}  // namespace
}  // namespace vl3
