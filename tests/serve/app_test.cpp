// The protocol against a scripted backend: what clients send, and what they read.
#include "serve/app.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <future>

#include "media/data_url.h"
#include "media/png_writer.h"
#include "serve/raw_client.h"
#include "serve/scripted_backend.h"

namespace vl3::serve {
namespace {

using test::ScriptedBackend;

class AppTest : public ::testing::Test {
 public:
  AppOptions options;
  MediaPolicy policy;
  ScriptedBackend backend;
  std::unique_ptr<MediaResolver> media;
  std::unique_ptr<App> app;
  std::unique_ptr<HttpServer> server;
  httplib::Headers headers;

  void start() {
    backend.info.path = "/models/tiny";
    backend.info.max_model_len = 1000;
    options.limits.vocab_size = 100;
    media = std::make_unique<MediaResolver>(policy);
    app = std::make_unique<App>(options, backend, *media, MediaWorker::start({.program = VL3_MEDIA_WORKER}),
                                weights::PreprocessConfig{});
    HttpServerOptions http;
    http.port = 0;
    server = std::make_unique<HttpServer>(
        http, [this](HttpRequest& head) { return app->gate(head); },
        [this](HttpRequest request, std::shared_ptr<Responder> responder) {
          app->handle(std::move(request), std::move(responder));
        },
        App::error_body);
  }
  void TearDown() override {
    server.reset();
    if (app) app->stop();
  }

  httplib::Result post(const std::string& path, const std::string& body,
                       const char* type = "application/json") {
    httplib::Client client("127.0.0.1", server->port());
    client.set_read_timeout(30);
    return client.Post(path, headers, body, type);
  }
  httplib::Result get(const std::string& path) {
    httplib::Client client("127.0.0.1", server->port());
    return client.Get(path, headers);
  }
  Json chat(const Json& more, int status = 200) {
    Json body = {{"messages", {{{"role", "user"}, {"content", "hi"}}}}};
    if (!more.is_null()) body.update(more);  // {} is null to nlohmann
    const auto result = post("/v1/chat/completions", body.dump());
    EXPECT_TRUE(result) << httplib::to_string(result.error());
    if (!result) return {};
    EXPECT_EQ(result->status, status) << result->body;
    return parse_json(result->body, "answer");
  }
  std::vector<Json> stream(const Json& more) {
    Json body = {{"messages", {{{"role", "user"}, {"content", "hi"}}}}, {"stream", true}};
    if (!more.is_null()) body.update(more);  // {} is null to nlohmann
    const auto result = post("/v1/chat/completions", body.dump());
    EXPECT_TRUE(result);
    EXPECT_EQ(result->get_header_value("Content-Type"), "text/event-stream; charset=utf-8");
    std::vector<Json> events;
    std::string_view text = result->body;
    while (!text.empty()) {
      const size_t end = text.find("\n\n");
      const std::string_view event = text.substr(0, end);
      EXPECT_TRUE(event.starts_with("data: ")) << event;
      if (event == "data: [DONE]") {
        EXPECT_EQ(end + 2, text.size());
        return events;
      }
      events.push_back(parse_json(event.substr(6), "event"));
      text.remove_prefix(end + 2);
    }
    ADD_FAILURE() << "no [DONE]";
    return events;
  }
  static std::string error_of(const Json& body) { return body.at("error").at("message").get<std::string>(); }
};

TEST_F(AppTest, WholeAnswer) {
  start();
  const Json answer = chat({});
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["model"], "tiny");
  EXPECT_TRUE(answer["id"].get<std::string>().starts_with("chatcmpl-"));
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "one two three");
  EXPECT_FALSE(answer["choices"][0]["message"].contains("tool_calls"));
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(answer["usage"]["total_tokens"], 8);
  EXPECT_EQ(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
  EXPECT_TRUE(answer["usage"]["receipt"]["seconds"].contains("queue"));
}

TEST_F(AppTest, StreamInTheOrderClientsExpect) {
  start();
  const std::vector<Json> events = stream({{"stream_options", {{"include_usage", true}}}});
  ASSERT_EQ(events.size(), 6u);
  EXPECT_EQ(events[0]["choices"][0]["delta"], (Json{{"role", "assistant"}, {"content", ""}}));
  EXPECT_EQ(events[1]["choices"][0]["delta"]["content"], "one ");
  EXPECT_EQ(events[4]["choices"][0]["delta"], Json::object());
  EXPECT_EQ(events[4]["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(events[5]["choices"], Json::array());
  EXPECT_EQ(events[5]["usage"]["completion_tokens"], 3);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(events[i]["id"], events[0]["id"]);
    EXPECT_EQ(events[i]["object"], "chat.completion.chunk");
    EXPECT_TRUE(events[i].contains("usage") && events[i]["usage"].is_null());
  }
}

TEST_F(AppTest, StreamWithoutUsageSaysNothingOfIt) {
  start();
  for (const Json& event : stream({})) EXPECT_FALSE(event.contains("usage"));
}

TEST_F(AppTest, SeveralAnswersAndLogprobs) {
  start();
  const Json answer = chat({{"n", 2}, {"logprobs", true}, {"top_logprobs", 1}});
  ASSERT_EQ(answer["choices"].size(), 2u);
  const Json& content = answer["choices"][1]["logprobs"]["content"];
  ASSERT_EQ(content.size(), 3u);
  EXPECT_EQ(content[2]["token"], "three");
  EXPECT_EQ(content[2]["bytes"].size(), 5u);
  EXPECT_EQ(content[0]["top_logprobs"][0]["logprob"], -0.5);
}

TEST_F(AppTest, PlainCompletions) {
  start();
  const auto result = post("/v1/completions", R"({"prompt":"ab","echo":true})");
  ASSERT_EQ(result->status, 200) << result->body;
  const Json answer = parse_json(result->body, "answer");
  EXPECT_EQ(answer["object"], "text_completion");
  EXPECT_EQ(answer["choices"][0]["text"], "abone two three");
  const auto scored = post("/v1/completions", R"({"prompt":"ab","logprobs":1,"request_id":"mine"})");
  ASSERT_EQ(scored->status, 200) << scored->body;
  const Json other = parse_json(scored->body, "answer");
  EXPECT_EQ(other["id"], "cmpl-mine");
  EXPECT_EQ(other["choices"][0]["logprobs"]["tokens"].size(), 3u);
  EXPECT_EQ(other["choices"][0]["logprobs"]["text_offset"], (Json{0, 4, 8}));
}

TEST_F(AppTest, QuickEndpoints) {
  start();
  EXPECT_EQ(get("/health")->status, 200);
  EXPECT_EQ(parse_json(get("/v1/models")->body, "m")["data"][0]["id"], "tiny");
  EXPECT_EQ(get("/v1/models/tiny")->status, 200);
  EXPECT_EQ(get("/v1/models/other")->status, 404);
  EXPECT_EQ(get("/nothing")->status, 404);
  EXPECT_EQ(get("/v1/chat/completions")->status, 405);
  EXPECT_NE(get("/")->body.find("<!doctype html>"), std::string::npos);
  EXPECT_NE(get("/openapi.yaml")->body.find("openapi: 3"), std::string::npos);
  const auto tokens = post("/tokenize", R"({"prompt":"abc"})");
  EXPECT_EQ(parse_json(tokens->body, "t")["count"], 3);
  EXPECT_EQ(parse_json(post("/detokenize", R"({"tokens":[1,2]})")->body, "t")["prompt"], "xx");
  EXPECT_EQ(parse_json(post("/v1/plan", R"({"messages":[{"role":"user","content":"x"}]})")->body,
                       "p")["prompt_tokens"],
            7);
  app->set_draining();
  EXPECT_EQ(get("/health")->status, 503);
}

TEST_F(AppTest, MetricsCountWhatHappened) {
  start();
  chat({});
  const std::string text = get("/metrics")->body;
  for (const char* line :
       {"vl3:prompt_tokens_total{model_name=\"tiny\",engine=\"0\"} 5",
        "vl3:generation_tokens_total{model_name=\"tiny\",engine=\"0\"} 3",
        "vl3:request_success_total{model_name=\"tiny\",engine=\"0\",finished_reason=\"stop\"} 1",
        "vl3:time_to_first_token_seconds_bucket{model_name=\"tiny\",engine=\"0\",le=\"2560\"} 1",
        "vl3:e2e_request_latency_seconds_count{model_name=\"tiny\",engine=\"0\"} 1"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST_F(AppTest, KeyOnEveryEndpointButHealth) {
  options.gate.api_keys = {"secret", "other"};
  start();
  for (const char* path : {"/v1/models", "/metrics", "/version", "/load", "/openapi.yaml", "/unknown"})
    EXPECT_EQ(get(path)->status, 401) << path;
  EXPECT_EQ(get("/health")->status, 200);
  const auto refused = post("/v1/chat/completions", "{}");
  EXPECT_EQ(refused->status, 401);
  EXPECT_EQ(parse_json(refused->body, "e")["error"]["type"], "authentication_error");
  headers.emplace("Authorization", "Bearer wrong");
  EXPECT_EQ(get("/v1/models")->status, 401);
  headers.clear();
  headers.emplace("Authorization", "Bearer other");
  EXPECT_EQ(get("/v1/models")->status, 200);
}

TEST_F(AppTest, OtherPagesMayNotCall) {
  start();
  EXPECT_EQ(get("/v1/models")->status, 200);
  headers.emplace("Origin", "http://evil.example");
  EXPECT_EQ(get("/v1/models")->status, 403);
  headers.clear();
  headers.emplace("Host", "rebound.example");
  EXPECT_EQ(get("/v1/models")->status, 403);
  headers.clear();
  EXPECT_EQ(post("/v1/chat/completions", "{}", "text/plain")->status, 415);
}

TEST_F(AppTest, BadRequestsNameTheirField) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({)", ""},
      {R"([])", ""},
      {R"({"messages":"x"})", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":[{"role":"user","content":"x"}],"temperature":"hot"})", "temperature"},
      {R"({"messages":[{"role":"user","content":"x"}],"temperature":3})", "temperature"},
      {R"({"messages":[{"role":"user","content":"x"}],"n":0})", "n"},
      {R"({"messages":[{"role":"user","content":"x"}],"n":1e99})", "n"},
      {R"({"messages":[{"role":"user","content":"x"}],"stop":[""]})", "stop"},
      {R"({"messages":[{"role":"user","content":"x"}],"logit_bias":{"x":1}})", "logit_bias"},
      {R"({"messages":[{"role":"user","content":"x"}],"top_logprobs":3})", "top_logprobs"},
      {R"({"messages":[{"role":"user","content":"x"}],"stream_options":{}})", "stream_options"},
      {R"({"messages":[{"role":"user","content":"x"}],"response_format":{"type":"xml"}})",
       "response_format.type"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]})", "tools"},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":null}]}]})",
       "messages[0].content[0].image_url"},
  };
  for (const auto& [body, param] : cases) {
    const auto result = post("/v1/chat/completions", body);
    EXPECT_EQ(result->status, 400) << body;
    const Json error = parse_json(result->body, "e")["error"];
    EXPECT_EQ(error["type"], "invalid_request_error");
    EXPECT_EQ(error["param"], param.empty() ? Json() : Json(param)) << error;
  }
  EXPECT_EQ(backend.submitted, 0);
  chat({{"model", "tiny"}, {"an_unknown_field", 1}});
}

TEST_F(AppTest, OnlyNamedModelsWhereNamesAreGiven) {
  options.served_model_names = {"vl3-2b", "gpt-4o"};
  start();
  EXPECT_EQ(chat({{"model", "gpt-4o"}})["model"], "gpt-4o");
  EXPECT_EQ(chat({{"model", "other"}}, 404)["error"]["code"], "model_not_found");
}

TEST_F(AppTest, MediaThatTheServerDoesNotFetch) {
  start();
  const auto ask = [&](const std::string& url) {
    return error_of(
        chat({{"messages",
               {{{"role", "user"}, {"content", {{{"type", "image_url"}, {"image_url", {{"url", url}}}}}}}}}},
             400));
  };
  for (const char* url : {"/etc/passwd", "-", "etc/passwd", "file:///etc/passwd", "http://127.0.0.1/x.png",
                          "https://example.com/x.png", "ftp://example.com/x", "medium:0"})
    EXPECT_FALSE(ask(url).empty()) << url;
  EXPECT_EQ(backend.submitted, 0);
}

std::string png_url(int size) {
  media::Frame picture;
  picture.height = picture.width = size;
  picture.rgb.assign(static_cast<size_t>(size * size * 3), 200);
  return media::encode_data_url("image/png", media::encode_png(picture));
}

TEST_F(AppTest, AMediumCanBeNamedByItsUuidLater) {
  start();
  const auto body = [](const Json& image) {
    return Json{{"messages",
                 {{{"role", "user"},
                   {"content", {{{"type", "image_url"}, {"image_url", image}, {"uuid", "cat"}}}}}}}};
  };
  chat(body(nullptr), 404);
  chat(body({{"url", png_url(40)}}));
  chat(body(nullptr));
  chat(body({{"url", png_url(41)}}), 400);  // other content under the same name
}

TEST_F(AppTest, BrokenMediaCostTheirRequestOnly) {
  start();
  const auto body = [](const std::string& url) {
    return Json{
        {"messages",
         {{{"role", "user"}, {"content", {{{"type", "video_url"}, {"video_url", {{"url", url}}}}}}}}}};
  };
  chat(body("data:video/mp4;base64,AAAA"), 422);
  chat(body("data:video/mp4;base64,!!!"), 422);
  chat({});
}

TEST_F(AppTest, ErrorsOfTheBackendBecomeStatuses) {
  start();
  const std::vector<std::pair<ErrorCode, int>> cases = {{ErrorCode::kInvalidArgument, 400},
                                                        {ErrorCode::kCorrupt, 422},
                                                        {ErrorCode::kResourceExhausted, 413},
                                                        {ErrorCode::kInternal, 500}};
  for (const auto& [code, status] : cases) {
    backend.refuses = Error(code, "because");
    chat({}, status);
  }
  backend.refuses.reset();
  backend.fails_after = Error(ErrorCode::kInternal, "half way");
  chat({}, 500);
  const std::vector<Json> events = stream({});
  EXPECT_EQ(events.back()["error"]["message"], "half way");
}

TEST_F(AppTest, AClientThatGoesAwayCancels) {
  backend.endless = true;
  backend.seconds_a_word = 0.01;
  start();
  {
    const test::RawClient client(server->port());
    const std::string body = R"({"messages":[{"role":"user","content":"x"}],"stream":true})";
    client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_NE(client.read_until("one ").find("one "), std::string::npos);
  }
  for (int i = 0; i < 1000 && backend.cancelled == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(backend.cancelled, 1);
}

TEST_F(AppTest, AClientThatGoesAwayWhileItsPromptIsPreparedCancels) {
  std::promise<void> began, go_on;
  backend.preparing = [&](const Job&) {
    began.set_value();
    go_on.get_future().wait();
  };
  backend.endless = true;
  start();
  {
    const test::RawClient client(server->port());
    const std::string body = R"({"messages":[{"role":"user","content":"x"}]})";
    client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    began.get_future().wait();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // the server sees that it is gone
  go_on.set_value();
  for (int i = 0; i < 1000 && backend.cancelled == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(backend.cancelled, 1);
}

TEST_F(AppTest, TimeIsOverWhileAPromptIsPrepared) {
  std::promise<void> go_on;
  backend.preparing = [&](const Job&) { go_on.get_future().wait(); };
  backend.endless = true;
  options.request_timeout_s = 0.2;
  start();
  EXPECT_EQ(chat({}, 503)["error"]["code"], "timeout");  // while it is still prepared
  go_on.set_value();
  for (int i = 0; i < 1000 && backend.cancelled == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(backend.cancelled, 1);
}

Json with_picture(const std::string& url) {
  return {{"messages",
           {{{"role", "user"}, {"content", {{{"type", "image_url"}, {"image_url", {{"url", url}}}}}}}}}};
}

TEST_F(AppTest, TextDoesNotWaitForOtherRequestsMedia) {
  std::promise<void> go_on;
  const std::shared_future<void> waiting = go_on.get_future().share();
  std::atomic<int> held{0};
  backend.preparing = [&](const Job& job) {
    if (job.conversation.back().parts.front().kind == PartKind::kText) return;
    ++held;
    waiting.wait();
  };
  start();
  std::vector<std::future<Json>> slow;
  for (size_t i = 0; i < 2 * options.prepare_threads; ++i)
    slow.push_back(std::async(std::launch::async, [this] { return chat(with_picture(png_url(30))); }));
  for (int i = 0; i < 1000 && held < static_cast<int>(options.prepare_threads); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(chat({})["choices"][0]["message"]["content"], "one two three");
  go_on.set_value();
  for (auto& answer : slow) EXPECT_TRUE(answer.get().contains("choices"));
}

TEST_F(AppTest, NamesOfModelsMayBeEscaped) {
  options.served_model_names = {"org/name", "a b"};
  start();
  EXPECT_EQ(parse_json(get("/v1/models/org%2Fname")->body, "m")["id"], "org/name");
  EXPECT_EQ(parse_json(get("/v1/models/org/name")->body, "m")["id"], "org/name");
  EXPECT_EQ(parse_json(get("/v1/models/a%20b")->body, "m")["id"], "a b");
  EXPECT_EQ(get("/v1/models/a%2")->status, 404);
}

TEST_F(AppTest, WhoeverAsksIsToldThatItDrains) {
  start();
  app->set_draining();
  server->drain();
  EXPECT_EQ(get("/health")->status, 503);
  chat({}, 503);
}

TEST_F(AppTest, ARequestThatTakesTooLongEnds) {
  backend.endless = true;
  backend.seconds_a_word = 0.01;
  options.request_timeout_s = 0.2;
  start();
  EXPECT_EQ(chat({}, 503)["error"]["code"], "timeout");
}

TEST_F(AppTest, SilentStreamsAreKeptAlive) {
  backend.seconds_a_word = 1.3;
  options.keep_alive_s = 0.4;
  start();
  const auto result =
      post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"x"}],"stream":true})");
  EXPECT_NE(result->body.find("\n\n:\n\n"), std::string::npos);
}

}  // namespace
}  // namespace vl3::serve
