#include "eval/run/endpoint.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/file.h"
#include "eval/answerers.h"
#include "net/loopback.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

/// A chat server that answers by a function of the request.
class ChatServer {
 public:
  using Respond = std::function<void(const Json& request, httplib::Response& response)>;
  explicit ChatServer(const Respond& respond) {
    server_.http.Get("/v1/models", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(R"({"data":[{"id":"some-model"}]})", "application/json");
    });
    server_.http.Post("/v1/chat/completions",
                      [this, respond](const httplib::Request& request, httplib::Response& response) {
                        ++requests;
                        authorization = request.get_header_value("Authorization");
                        respond(Json::parse(request.body), response);
                      });
    server_.start();
  }
  EndpointOptions options() const {
    EndpointOptions options;
    options.url = server_.url("/v1");
    options.attempts = 2;
    options.backoff_s = 0.01;
    options.timeout_s = 60;
    return options;
  }
  std::atomic<int> requests{0};
  std::string authorization;

 private:
  test::LoopbackServer server_;
};

void say(httplib::Response& response, const std::string& text) {
  const Json reply = {{"choices", {{{"message", {{"content", text}}}, {"finish_reason", "stop"}}}},
                      {"usage", {{"prompt_tokens", 7}, {"completion_tokens", 2}}}};
  response.set_content(reply.dump(), "application/json");
}

TEST(Endpoint, AnswersAWholeRunWithManyRequestsAtOnce) {
  const test::TempDir dir;
  ChatServer server([](const Json& request, httplib::Response& response) {
    EXPECT_EQ(request["model"], "some-model");
    EXPECT_EQ(request["temperature"], 0);
    EXPECT_EQ(request["max_tokens"], 64);
    say(response, letter_answer(request["messages"][0]["content"][0]["text"].get<std::string>()));
  });
  EndpointOptions options = server.options();
  options.api_key = "secret";
  const auto endpoint = std::make_shared<const ChatEndpoint>(options);
  const auto answerer = endpoint_answerer(endpoint, VideoAs::kFrames, 4, 64);
  const std::vector<Task> tasks = {letter_task(30)};
  answer_share(tasks, *answerer, run_options(dir / "run"), {});
  const ScoredTask scored = score_task(tasks[0], collect(tasks, run_options(dir / "run"), {}), {});
  EXPECT_EQ(scored.failed, 0);
  EXPECT_EQ(server.requests, 30);
  EXPECT_EQ(server.authorization, "Bearer secret");
  EXPECT_EQ(scored.records[5].reply.prompt_tokens, 7);
}

TEST(Endpoint, BusyServersAreAskedAgainRefusalsAreTheQuestionsOwn) {
  std::atomic<int> busy{1};
  ChatServer server([&](const Json& request, httplib::Response& response) {
    const std::string text = request["messages"][0]["content"][0]["text"];
    if (busy-- > 0) {
      response.status = 503;
    } else if (text == "question 1") {
      response.status = 400;
      response.set_content("too long", "text/plain");
    } else if (text == "question 2") {
      response.set_content("{\"choices\":[]}", "application/json");
    } else {
      say(response, "A");
    }
  });
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(4)};
  const auto answerer =
      endpoint_answerer(std::make_shared<const ChatEndpoint>(server.options()), VideoAs::kFrames, 1, 64);
  answer_share(tasks, *answerer, run_options(dir / "run"), {});
  const ScoredTask scored = score_task(tasks[0], collect(tasks, run_options(dir / "run"), {}), {});
  EXPECT_EQ(scored.failed, 2);
  EXPECT_NE(scored.records[1].error.find("too long"), std::string::npos);
  EXPECT_NE(scored.records[2].error.find("without choices"), std::string::npos);
}

TEST(Endpoint, AServerThatIsGoneEndsTheRun) {
  const test::TempDir dir;
  ChatServer server([&](const Json&, httplib::Response& response) { response.status = 503; });
  const std::vector<Task> tasks = {letter_task(40)};
  const auto answerer =
      endpoint_answerer(std::make_shared<const ChatEndpoint>(server.options()), VideoAs::kFrames, 1, 64);
  EXPECT_NE(error_of([&] { answer_share(tasks, *answerer, run_options(dir / "run"), {}); }), "");
  EXPECT_EQ(server.requests, 20);  // ten questions, two attempts each
  EXPECT_NE(error_of([] { ChatEndpoint({.url = "ftp://x"}); }), "");
}

TEST(Endpoint, MediaOfAMessage) {
  const test::TempDir dir;
  ContentPart video;
  video.kind = PartKind::kVideo;
  video.frames = {"data:image/png;base64,AA==", "data:image/png;base64,BB=="};
  video.timestamps = {0, 1.5};
  const std::string image = dir.write("a.png", "\x89PNG\r\n\x1a\n....");
  const OrderedJson messages =
      endpoint_messages({user_message({image_part(image), video, text_part("What?")})});
  const OrderedJson& content = messages[0]["content"];
  ASSERT_EQ(content.size(), 6);
  EXPECT_TRUE(
      content[0]["image_url"]["url"].get<std::string>().starts_with("data:image/png;base64,iVBORw0KGg"));
  EXPECT_EQ(content[1]["text"], "Time 0.0s:");
  EXPECT_EQ(content[3]["text"], "Time 1.5s:");
  EXPECT_EQ(content[4]["image_url"]["url"], "data:image/png;base64,BB==");
  EXPECT_EQ(content[5]["text"], "What?");
}

TEST(EndpointJudge, AsksOnceAndKeepsTheReply) {
  const test::TempDir dir;
  ChatServer server([](const Json& request, httplib::Response& response) {
    EXPECT_EQ(request["messages"][0]["role"], "system");
    say(response, "True");
  });
  const auto endpoint = std::make_shared<const ChatEndpoint>(server.options());
  const JudgeRequest request{.system = "s", .user = "u", .temperature = 0.5, .top_p = 0.9};
  EXPECT_EQ(endpoint_judge(endpoint, dir / "judge.jsonl", 1)->ask(request), "True");
  EXPECT_EQ(endpoint_judge(endpoint, dir / "judge.jsonl", 1)->ask(request), "True");
  EXPECT_EQ(server.requests, 1);
  JudgeRequest other = request;
  other.user = "v";
  endpoint_judge(endpoint, dir / "judge.jsonl", 1)->ask(other);
  EXPECT_EQ(server.requests, 2);
}

TEST(EndpointJudge, WithoutItsJudgeAScoreIsNotMade) {
  const test::TempDir dir;
  ChatServer server([](const Json&, httplib::Response& response) { response.status = 503; });
  const auto judge =
      endpoint_judge(std::make_shared<const ChatEndpoint>(server.options()), dir / "judge.jsonl", 1);
  EXPECT_THROW(judge->ask({.system = "", .user = "u"}), FatalError);
}

TEST(EndpointJudge, WhatItRefusesOrGarblesIsNotJudgedAndAskedAgainLater) {
  const test::TempDir dir;
  bool sober = false;
  ChatServer server([&](const Json& request, httplib::Response& response) {
    const std::string user = request["messages"].back()["content"];
    if (user == "refused") {
      response.status = 400;
    } else {
      say(response, sober || user == "fine" ? "yes" : "hm");
    }
  });
  const auto endpoint = std::make_shared<const ChatEndpoint>(server.options());
  const auto usable = [](const std::string& reply) { return reply == "yes"; };
  const auto ask = [&](const char* user) {
    JudgeRequest request{.user = user};
    request.usable = usable;
    return endpoint_judge(endpoint, dir / "judge.jsonl", 1)->ask(request);
  };
  EXPECT_EQ(ask("fine"), "yes");
  EXPECT_THROW(ask("refused"), NotJudged);
  EXPECT_THROW(ask("odd"), NotJudged);
  sober = true;
  const int before = server.requests;
  EXPECT_EQ(ask("odd"), "yes");
  EXPECT_EQ(ask("fine"), "yes");
  EXPECT_EQ(server.requests, before + 1);
}

TEST(Endpoint, AWrongAddressOrKeyIsKnownAtOnce) {
  test::LoopbackServer refusing, without_list;
  refusing.http.Get("/v1/models",
                    [](const httplib::Request&, httplib::Response& response) { response.status = 401; });
  refusing.start();
  without_list.start();
  EXPECT_THROW(ChatEndpoint({.url = refusing.url("/v1"), .model = "named"}), net::FetchError);
  EXPECT_THROW(ChatEndpoint({.url = "http://127.0.0.1:1/v1", .model = "named"}), net::FetchError);
  EXPECT_EQ(ChatEndpoint({.url = without_list.url("/v1"), .model = "named"}).model(), "named");
  EXPECT_THROW(ChatEndpoint({.url = without_list.url("/v1")}), net::FetchError);
}

TEST(Endpoint, ABusyServerIsAskedAgainWhenItSays) {
  int refusals = 8;  // more than attempts
  ChatServer server([&](const Json&, httplib::Response& response) {
    if (refusals-- > 0) {
      response.status = 429;
      response.set_header("Retry-After", "0");
    } else {
      say(response, "A");
    }
  });
  const ChatEndpoint endpoint(server.options());
  EXPECT_EQ(endpoint.complete({{"messages", OrderedJson::array()}}).text, "A");
  refusals = 1 << 20;
  EndpointOptions impatient = server.options();
  impatient.busy_s = 0;
  EXPECT_THROW(ChatEndpoint(impatient).complete({{"messages", OrderedJson::array()}}), net::FetchError);
}

TEST(Endpoint, AStoppedRunLeavesAServerThatHangs) {
  std::atomic<bool> over{false}, asked{false};
  ChatServer server([&](const Json&, httplib::Response&) {
    asked = true;
    while (!over) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  EndpointOptions options = server.options();
  options.timeout_s = 3600;
  options.cancelled = [&] { return asked.load(); };
  const auto answerer =
      endpoint_answerer(std::make_shared<const ChatEndpoint>(options), VideoAs::kFrames, 1, 64);
  EXPECT_THROW(answerer->session()->ask({user_message({text_part("?")})}), FatalError);
  over = true;
}

}  // namespace
}  // namespace vl3::eval
