#include "serve/http/server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "serve/raw_client.h"

namespace vl3::serve {
namespace {

using test::RawClient;

/// Echoes bodies; "/stream" sends three pieces, "/hold" keeps its responder for the test.
class HttpServerTest : public ::testing::Test {
 public:
  HttpServerOptions options;
  std::unique_ptr<HttpServer> server;
  std::mutex mutex;
  std::shared_ptr<Responder> held;
  std::atomic<int> gone{0};

  void start() {
    options.port = 0;
    server = std::make_unique<HttpServer>(
        options,
        [](const HttpRequest& head) -> std::optional<HttpResponse> {
          if (head.path == "/refused") return HttpResponse{.status = 403, .body = "no"};
          return std::nullopt;
        },
        [this](const HttpRequest& request, const std::shared_ptr<Responder>& responder) {
          if (request.path == "/stream") {
            responder->begin({.content_type = "text/plain"});
            for (const char* piece : {"a", "bc", "d"}) responder->write(piece);
            responder->end();
          } else if (request.path == "/hold") {
            responder->on_gone([this] { ++gone; });
            const std::lock_guard lock(mutex);
            held = responder;
          } else {
            responder->send({.content_type = "text/plain", .body = request.method + " " + request.body});
          }
        },
        [](int status, const std::string& message) { return std::to_string(status) + " " + message; });
  }
  std::shared_ptr<Responder> wait_held() {
    for (int i = 0; i < 1000; ++i) {
      {
        const std::lock_guard lock(mutex);
        if (held) return held;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return nullptr;
  }
  bool wait_gone() const {
    for (int i = 0; i < 1000 && gone == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return gone == 1;
  }
};

TEST_F(HttpServerTest, AnswersSeveralRequestsOfOneConnection) {
  start();
  const RawClient client(server->port());
  client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_NE(client.read_until("POST hi").find("200 OK"), std::string::npos);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string both = client.read_all();
  EXPECT_NE(both.find("GET "), both.rfind("GET "));
}

TEST_F(HttpServerTest, StreamsInChunks) {
  start();
  const RawClient client(server->port());
  client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string got = client.read_until("0\r\n\r\n");
  EXPECT_NE(got.find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_NE(got.find("1\r\na\r\n2\r\nbc\r\n1\r\nd\r\n0\r\n\r\n"), std::string::npos) << got;
}

TEST_F(HttpServerTest, SaysContinueAndReadsChunkedBodies) {
  start();
  const RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("100 Continue"), std::string::npos);
  client.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_NE(client.read_until("POST abcde").find("200"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesAtTheHeadWithoutReadingTheBody) {
  start();
  const RawClient client(server->port());
  client.send("POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
  EXPECT_NE(client.read_all(3).find("403 Forbidden"), std::string::npos);
}

TEST_F(HttpServerTest, LimitsHeadAndBody) {
  options.max_body_bytes = 10;
  options.max_head_bytes = 1024;
  start();
  for (const auto& [request, status] : std::vector<std::pair<std::string, std::string>>{
           {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", " 413 "},
           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + std::string(32, 'a') +
                "\r\n0\r\n\r\n",
            " 413 "},
           {"GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(4000, 'x') + "\r\n\r\n", " 431 "},
           {"nonsense\r\n\r\n", " 400 "},
           {"GET / HTTP/1.1\r\nbroken header\r\n\r\n", " 400 "},
           {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", " 400 "},
           {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", " 400 "},
           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            " 501 "},
           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n", " 501 "},
           {"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", " 400 "},
           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", " 400 "}}) {
    const RawClient client(server->port());
    client.send(request);
    EXPECT_NE(client.read_all(5).find(status), std::string::npos) << request.substr(0, 80);
  }
  EXPECT_GT(server->stats().malformed, 0u);
}

TEST_F(HttpServerTest, ClosesWhatNeverBecomesARequest) {
  options.head_timeout_s = 0.2;
  options.idle_timeout_s = 0.2;
  options.body_timeout_s = 0.2;
  start();
  const RawClient idle(server->port()), half(server->port()), body(server->port());
  half.send("GET / HT");
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(idle.closes(5));
  EXPECT_NE(half.read_all(5).find(" 408 "), std::string::npos);
  EXPECT_NE(body.read_all(5).find(" 408 "), std::string::npos);
  EXPECT_EQ(server->stats().timed_out, 3u);
}

TEST_F(HttpServerTest, TellsWhenTheClientGoesAway) {
  start();
  RawClient client(server->port());
  client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_NE(wait_held(), nullptr);
  client.close();
  EXPECT_TRUE(wait_gone());
  EXPECT_FALSE(wait_held()->write("late"));
}

TEST_F(HttpServerTest, TellsWhenAClientThatSentTooMuchGoesAway) {
  start();
  RawClient client(server->port());
  client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(200 << 10, 'x'));
  ASSERT_NE(wait_held(), nullptr);
  client.close();
  EXPECT_TRUE(wait_gone());
}

TEST_F(HttpServerTest, WhatIsOnlyAnnouncedKeepsNobodyOut) {
  options.max_body_bytes = options.max_buffered_bytes = 1 << 20;
  start();
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 8; ++i) {
    silent.push_back(std::make_unique<RawClient>(server->port()));
    silent.back()->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n");
  }
  const RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_NE(client.read_until("POST hi").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, BodiesAreBoundedTogetherHoweverTheyCome) {
  options.max_body_bytes = options.max_buffered_bytes = 1 << 20;
  start();
  const std::string piece(900 << 10, 'x');
  const RawClient first(server->port()), second(server->port());
  first.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n" + piece);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  second.send(fmt::format("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n",
                          piece.size(), piece));
  EXPECT_NE(second.read_all(5).find(" 503 "), std::string::npos);
  first.send(std::string((1 << 20) - piece.size(), 'x'));
  EXPECT_NE(first.read_until("xxx").find("200 OK"), std::string::npos);
  const RawClient third(server->port());
  third.send(fmt::format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}", piece.size(), piece));
  EXPECT_NE(third.read_until("xxx").find("200 OK"), std::string::npos) << "what was answered counts no more";
}

TEST_F(HttpServerTest, EndsAStreamThatNobodyReads) {
  options.max_pending_bytes = 1 << 20;
  start();
  const RawClient client(server->port());
  client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto responder = wait_held();
  ASSERT_NE(responder, nullptr);
  responder->begin({.content_type = "text/plain"});
  bool open = true;
  for (int i = 0; i < 1000 && open; ++i) open = responder->write(std::string(64 << 10, 'x'));
  EXPECT_FALSE(open);
  EXPECT_TRUE(wait_gone());
  EXPECT_EQ(server->stats().slow_readers, 1u);
}

TEST_F(HttpServerTest, DrainsAnswersThatAreBeingMade) {
  start();
  const RawClient busy(server->port()), idle(server->port());
  busy.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_NE(wait_held(), nullptr);
  server->drain();
  EXPECT_TRUE(idle.closes(5));
  EXPECT_EQ(server->busy(), 1u);
  wait_held()->send({.content_type = "text/plain", .body = "whole"});
  EXPECT_NE(busy.read_all(5).find("whole"), std::string::npos);
  const RawClient late(server->port());
  late.send("GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string told = late.read_all(5);
  EXPECT_NE(told.find("GET "), std::string::npos) << "whoever asks is answered";
  EXPECT_NE(told.find("Connection: close"), std::string::npos);
}

TEST_F(HttpServerTest, RefusesConnectionsOverItsLimit) {
  options.max_connections = 2;
  start();
  const RawClient a(server->port()), b(server->port());
  a.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  b.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  a.read_until("GET ");
  b.read_until("GET ");
  const RawClient c(server->port());
  EXPECT_TRUE(c.closes(5));
  EXPECT_EQ(server->stats().refused, 1u);
}

TEST_F(HttpServerTest, ThousandsOfIdleConnectionsCostNoThread) {
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 400; ++i) clients.push_back(std::make_unique<RawClient>(server->port()));
  const RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_until("GET ").find("200"), std::string::npos);
  EXPECT_GE(server->stats().connections, 400u);
}

}  // namespace
}  // namespace vl3::serve
