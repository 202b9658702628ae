// Replies no honest server gives: each must end soon, with one clear error and bounded memory.
#include <gtest/gtest.h>

#include <chrono>

#include "net/fetch.h"
#include "net/loopback.h"
#include "support/temp_dir.h"

namespace vl3::net {
namespace {

using test::error_of;
using test::loopback_options;
using test::RawServer;

FetchOptions limits() {
  FetchOptions options = loopback_options();
  options.max_bytes = 1 << 20;
  options.timeout_s = 60;
  return options;
}

std::string error_for(const std::string& reply, FetchOptions options = limits()) {
  const RawServer server([&](int fd, const RawServer&) { RawServer::say(fd, reply); });
  return error_of([&] { fetch(server.url(), options); });
}

TEST(HostileReply, TableOfBrokenReplies) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const struct {
    const char* name;
    std::string reply;
    const char* error;
  } rows[] = {
      {"nothing", "", "without a reply"},
      {"not HTTP", "SSH-2.0-x\r\n\r\n", "is not HTTP"},
      {"status only", ok, "broke off"},
      {"short body", ok + "Content-Length: 10\r\n\r\nabc", "broke off"},
      {"negative length", ok + "Content-Length: -1\r\n\r\nabc", "Content-Length is \"-1\""},
      {"length with words", ok + "Content-Length: ten\r\n\r\nabc", "Content-Length is \"ten\""},
      {"two lengths", ok + "Content-Length: 3\r\nContent-Length: 9\r\n\r\nabc", "Content-Length"},
      {"huge length", ok + "Content-Length: 99999999999999999999999\r\n\r\nabc", "Content-Length"},
      {"large length", ok + "Content-Length: 999999999999\r\n\r\nabc", "the limit is 1048576"},
      {"cut chunk", ok + "Transfer-Encoding: chunked\r\n\r\n10\r\nabc", "broke off"},
      {"no chunk size", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", "broke off"},
      {"huge chunk", ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", "broke off"},
      {"long status", "HTTP/1.1 200 " + std::string(100000, 'a') + "\r\n\r\n", "head is too long"},
      {"long header", ok + "X: " + std::string(100000, 'a') + "\r\n\r\n", "head is too long"},
      {"line without end", std::string(100000, 'a'), "head is too long"},
      {"chunk size without end", ok + "Transfer-Encoding: chunked\r\n\r\n" + std::string(100000, '0'),
       "too long"},
      {"redirect to nowhere", "HTTP/1.1 302 F\r\nLocation: http://\r\n\r\n", "unusable address"},
      {"redirect without place", "HTTP/1.1 302 F\r\n\r\n", "status 302"},
      {"range nobody asked for", "HTTP/1.1 206 P\r\nContent-Range: bytes 5-6/9\r\nContent-Length: 1\r\n\r\na",
       "Content-Range \"bytes 5-6/9\""},
      {"cut gzip", ok + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", "ends early"},
  };
  for (const auto& row : rows) {
    const std::string error = error_for(row.reply);
    EXPECT_NE(error.find(row.error), std::string::npos) << row.name << " → " << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << row.name;
  }
}

TEST(HostileReply, AnUnusableRedirectIsTheServersMistake) {
  const RawServer server(
      [](int fd, const RawServer&) { RawServer::say(fd, "HTTP/1.1 302 F\r\nLocation: ftp://x/\r\n\r\n"); });
  try {
    fetch(server.url(), limits());
    FAIL() << "no error";
  } catch (const FetchError& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.what();
  }
}

TEST(HostileReply, OldAndTerseServersAreUnderstood) {
  for (const char* reply :
       {"HTTP/1.0 200 OK\r\n\r\nhello",                               // ends with the connection
        "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",             // no reason phrase
        "HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello and more",  // more than announced
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}) {
    const RawServer server([&](int fd, const RawServer&) { RawServer::say(fd, reply); });
    EXPECT_EQ(error_of([&] { EXPECT_EQ(fetch(server.url(), limits()).body, "hello") << reply; }), "")
        << reply;
  }
}

TEST(HostileReply, EndlessHeadersAndInterimRepliesStop) {
  for (const char* piece : {"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    const RawServer server([&](int fd, const RawServer&) {
      if (piece[0] == 'X') RawServer::say(fd, "HTTP/1.1 200 OK\r\n");
      while (RawServer::say(fd, piece)) {
      }
    });
    const std::string error = error_of([&] { fetch(server.url(), limits()); });
    EXPECT_NE(error.find("head is too long"), std::string::npos) << error;
  }
}

TEST(HostileReply, EndlessBodiesStopAtTheLimit) {
  for (const char* framing : {"\r\n", "Transfer-Encoding: chunked\r\n\r\n"}) {
    const bool chunked = framing[0] == 'T';
    const RawServer server([&](int fd, const RawServer&) {
      RawServer::say(fd, std::string("HTTP/1.1 200 OK\r\n") + framing);
      while (RawServer::say(fd, chunked ? "1\r\na\r\n" : "aaaaaaaa")) {
      }
    });
    const std::string error = error_of([&] { fetch(server.url(), limits()); });
    EXPECT_NE(error.find("limit"), std::string::npos) << error;
    EXPECT_TRUE(error.starts_with("limit reached")) << error;
  }
}

/// Says `piece` every 100 ms until the client goes.
void drip(int fd, const RawServer& server, const char* piece) {
  while (!server.stopping() && RawServer::say(fd, piece)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

TEST(HostileReply, TheDeadlineIsForTheWholeNotForEachRead) {
  // A byte now and then keeps any per-read time-out happy.
  for (const char* head : {"", "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}) {
    const RawServer server([&](int fd, const RawServer& self) {
      RawServer::say(fd, head);
      drip(fd, self, "a");
    });
    FetchOptions options = limits();
    options.timeout_s = 0.7;
    const auto begin = std::chrono::steady_clock::now();
    const std::string error = error_of([&] { fetch(server.url(), options); });
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    EXPECT_TRUE(error.starts_with("limit reached")) << error;
    EXPECT_NE(error.find("time limit"), std::string::npos) << error;
    EXPECT_GT(took, 0.5);
    EXPECT_LT(took, 15);
  }
}

TEST(HostileReply, ASilentServerHitsTheIdleTimeout) {
  const RawServer server([](int, const RawServer& self) {
    while (!self.stopping()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  FetchOptions options = limits();
  options.idle_timeout_s = 0.3;
  try {
    fetch(server.url(), options);
    FAIL();
  } catch (const FetchError& error) {
    EXPECT_TRUE(error.retryable());
    EXPECT_EQ(error.code(), ErrorCode::kResourceExhausted);
  }
}

TEST(HostileReply, ControlCharactersInHeadersDoNotReachTheCaller) {
  const RawServer server([](int fd, const RawServer&) {
    RawServer::say(
        fd, "HTTP/1.1 200 OK\r\nContent-Type: a%0d%0ab\r\nX-Esc: \x1b[2J\r\nContent-Length: 1\r\n\r\nx");
  });
  Reply reply = download(server.url(), limits(), [](std::string_view) {});
  EXPECT_EQ(reply.header("content-type"), "");
  EXPECT_EQ(reply.header("x-esc"), "");
}

TEST(HostileReply, AResetConnectionIsRetryable) {
  const RawServer server([](int fd, const RawServer&) {
    RawServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc");
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);  // close() sends a reset
  });
  try {
    fetch(server.url(), limits());
    FAIL();
  } catch (const FetchError& error) {
    EXPECT_TRUE(error.retryable()) << error.what();
  }
}

}  // namespace
}  // namespace vl3::net
