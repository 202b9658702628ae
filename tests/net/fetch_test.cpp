#include "net/fetch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "net/gzip_text.h"
#include "net/loopback.h"
#include "support/temp_dir.h"

namespace vl3::net {
namespace {

using test::error_of;
using test::loopback_options;
using test::LoopbackServer;
using test::RawServer;

void redirect(LoopbackServer& server, const std::string& from, const std::string& to, int status = 302) {
  server.http.Get(from, [to, status](const httplib::Request&, httplib::Response& response) {
    response.status = status;
    response.set_header("Location", to);
  });
}

void answer(LoopbackServer& server, const std::string& path, const std::string& body) {
  server.http.Get(path, [body](const httplib::Request&, httplib::Response& response) {
    response.set_content(body, "text/plain");
  });
}

TEST(Fetch, GivesBodyTypeAndUrl) {
  LoopbackServer server;
  answer(server, "/a", "hello");
  server.start();
  const Fetched fetched = fetch(server.url("/a?q=1#part"), loopback_options());
  EXPECT_EQ(fetched.body, "hello");
  EXPECT_EQ(fetched.content_type, "text/plain");
  EXPECT_EQ(fetched.url, server.url("/a?q=1"));
}

TEST(Fetch, SendsWhatAServerNeedsAndNoMore) {
  LoopbackServer server;
  httplib::Headers seen;
  server.http.Get("/h", [&](const httplib::Request& request, httplib::Response& response) {
    seen = request.headers;
    response.set_content("x", "a/b");
  });
  server.start();
  fetch(server.url("/h"), loopback_options());
  EXPECT_EQ(seen.find("Host")->second, fmt::format("127.0.0.1:{}", server.port()));
  EXPECT_EQ(seen.find("Accept-Encoding")->second, "identity");
  EXPECT_EQ(seen.count("Host"), 1u);
  EXPECT_EQ(seen.count("Authorization"), 0u);
  EXPECT_EQ(seen.count("Range"), 0u);
}

TEST(Fetch, RefusesLoopbackUnlessAllowed) {
  LoopbackServer server;
  answer(server, "/a", "secret");
  server.start();
  const std::string error = error_of([&] { fetch(server.url("/a"), {}); });
  EXPECT_NE(error.find("invalid argument"), std::string::npos) << error;
  EXPECT_NE(error.find("loopback"), std::string::npos) << error;
  EXPECT_NE(error_of([&] { fetch(server.url("/a", "localhost"), {}); }).find("no address that is allowed"),
            std::string::npos);
  EXPECT_NE(error_of([&] { fetch("http://169.254.169.254/latest/meta-data", {}); }).find("metadata"),
            std::string::npos);
}

TEST(Fetch, FollowsRedirectsOfAllKinds) {
  LoopbackServer server;
  LoopbackServer other;
  answer(other, "/there", "moved");
  other.start();
  for (const int status : {301, 302, 303, 307, 308}) {
    redirect(server, fmt::format("/{}", status), other.url("/there"), status);
  }
  redirect(server, "/x/relative", "../y/end");
  answer(server, "/y/end", "relative");
  server.start();
  for (const int status : {301, 302, 303, 307, 308}) {
    const Fetched fetched = fetch(server.url(fmt::format("/{}", status)), loopback_options());
    EXPECT_EQ(fetched.body, "moved");
    EXPECT_EQ(fetched.url, other.url("/there"));
  }
  EXPECT_EQ(fetch(server.url("/x/relative"), loopback_options()).url, server.url("/y/end"));
}

TEST(Fetch, RedirectLoopsEndAndZeroRedirectsMeansNone) {
  LoopbackServer server;
  redirect(server, "/loop", "/loop");
  redirect(server, "/once", "/end");
  answer(server, "/end", "e");
  server.start();
  EXPECT_NE(error_of([&] { fetch(server.url("/loop"), loopback_options()); }).find("more than 5 redirects"),
            std::string::npos);
  FetchOptions options = loopback_options();
  options.max_redirects = 1;
  EXPECT_EQ(fetch(server.url("/once"), options).body, "e");
  options.max_redirects = 0;
  EXPECT_NE(error_of([&] { fetch(server.url("/once"), options); }).find("more than 0 redirects"),
            std::string::npos);
}

TEST(Fetch, RedirectsToOtherSchemesAreRefused) {
  LoopbackServer server;
  const char* targets[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/",
                           "//u:p@127.0.0.1/", "http://127.0.0.1:99999/"};
  for (size_t i = 0; i < std::size(targets); ++i) redirect(server, fmt::format("/{}", i), targets[i]);
  server.start();
  for (size_t i = 0; i < std::size(targets); ++i) {
    const std::string error = error_of([&] { fetch(server.url(fmt::format("/{}", i)), loopback_options()); });
    EXPECT_TRUE(error.starts_with("corrupt")) << targets[i] << " → " << error;
  }
}

TEST(Fetch, TokenGoesToTheFirstOriginOnly) {
  LoopbackServer server;
  LoopbackServer other;
  std::string at_first, at_same, at_other, back_home;
  const auto keep = [](std::string* where) {
    return [where](const httplib::Request& request, httplib::Response& response) {
      *where = request.get_header_value("Authorization");
      response.set_content("ok", "text/plain");
    };
  };
  other.http.Get("/other", keep(&at_other));
  other.http.Get("/back", [&](const httplib::Request&, httplib::Response& response) {
    response.set_redirect(server.url("/home"));
  });
  other.start();
  server.http.Get("/first", keep(&at_first));
  server.http.Get("/same", keep(&at_same));
  server.http.Get("/home", keep(&back_home));
  redirect(server, "/to-same", "/same");
  redirect(server, "/to-other", other.url("/other"));
  redirect(server, "/to-back", other.url("/back"));
  server.start();
  FetchOptions options = loopback_options();
  options.bearer_token = "tok-123";
  for (const char* path : {"/first", "/to-same", "/to-other", "/to-back"}) fetch(server.url(path), options);
  EXPECT_EQ(at_first, "Bearer tok-123");
  EXPECT_EQ(at_same, "Bearer tok-123");
  EXPECT_EQ(at_other, "");  // another port is another origin
  EXPECT_EQ(back_home, "");
}

TEST(Fetch, TokensThatWouldBreakTheHeaderAreRefusedWithoutBeingShown) {
  for (const char* token : {"a\r\nX: y", "with blank", "tab\t", "\x01"}) {
    FetchOptions options = loopback_options();
    options.bearer_token = token;
    const std::string error = error_of([&] { fetch("http://127.0.0.1:1/", options); });
    EXPECT_NE(error.find("access token has blanks"), std::string::npos);
    EXPECT_EQ(error.find(token), std::string::npos);
  }
}

TEST(Fetch, StatusesBecomeErrors) {
  LoopbackServer server;
  server.http.Get(R"(/(\d+))", [](const httplib::Request& request, httplib::Response& response) {
    response.status = std::stoi(request.matches[1]);
    response.set_content("page", "text/html");
  });
  server.start();
  const struct {
    int status;
    ErrorCode code;
    const char* text;
    bool retryable;
  } rows[] = {
      {401, ErrorCode::kInvalidArgument, "token", false},
      {403, ErrorCode::kInvalidArgument, "token", false},
      {404, ErrorCode::kNotFound, "nothing at this", false},
      {410, ErrorCode::kNotFound, "nothing at this", false},
      {429, ErrorCode::kResourceExhausted, "later", true},
      {500, ErrorCode::kUnsupported, "failed", true},
      {503, ErrorCode::kUnsupported, "failed", true},
      {418, ErrorCode::kUnsupported, "not an answer", false},
      {304, ErrorCode::kUnsupported, "not an answer", false},
  };
  for (const auto& row : rows) {
    try {
      fetch(server.url(fmt::format("/{}?signature=hidden", row.status)), loopback_options());
      FAIL() << row.status;
    } catch (const FetchError& error) {
      const std::string text = error.what();
      EXPECT_EQ(error.code(), row.code) << text;
      EXPECT_EQ(error.status(), row.status);
      EXPECT_EQ(error.retryable(), row.retryable);
      EXPECT_NE(text.find(row.text), std::string::npos) << text;
      EXPECT_NE(text.find(fmt::format("/{}: status {}", row.status, row.status)), std::string::npos) << text;
      EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
    }
  }
}

TEST(Fetch, SaysHowLongTheServerAsksToWait) {
  LoopbackServer server;
  server.http.Get("/seconds", [](const httplib::Request&, httplib::Response& response) {
    response.status = 429;
    response.set_header("Retry-After", "7");
  });
  server.http.Get("/date", [](const httplib::Request&, httplib::Response& response) {
    response.status = 503;
    response.set_header("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT");
  });
  server.start();
  const auto asked = [&](const char* path) -> std::optional<double> {
    try {
      fetch(server.url(path), loopback_options());
    } catch (const FetchError& error) {
      return error.retry_after_s();
    }
    return -1;
  };
  EXPECT_EQ(asked("/seconds"), 7);
  EXPECT_EQ(asked("/date"), std::nullopt);
}

TEST(Fetch, ACancelledOneEndsAtOnceWithAServerThatSaysNothing) {
  std::atomic<bool> over{false}, stop{false};
  const RawServer server([&](int, const RawServer&) {
    stop = true;
    while (!over) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  FetchOptions options = loopback_options();
  options.timeout_s = options.idle_timeout_s = 3600;
  options.cancelled = [&] { return stop.load(); };
  try {
    fetch(server.url("/"), options);
    ADD_FAILURE() << "a reply";
  } catch (const FetchError& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
    EXPECT_FALSE(error.retryable());
  }
  over = true;
}

TEST(Fetch, TheByteLimitHoldsForEveryWayOfSending) {
  LoopbackServer server;
  const std::string body(100000, 'x');
  answer(server, "/length", body);
  server.http.Get("/chunked", [&](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("a/b", [&](size_t offset, httplib::DataSink& sink) {
      if (offset < body.size())
        sink.write(body.data(), 1000);
      else
        sink.done();
      return true;
    });
  });
  server.http.Get("/gzip", [&](const httplib::Request&, httplib::Response& response) {
    response.set_header("Content-Encoding", "gzip");
    response.set_content(test::gzip(body), "text/plain");
  });
  server.start();
  for (const char* path : {"/length", "/chunked", "/gzip"}) {
    FetchOptions options = loopback_options();
    options.max_bytes = body.size();
    EXPECT_EQ(fetch(server.url(path), options).body, body) << path;
    options.max_bytes = body.size() - 1;
    const std::string error = error_of([&] { fetch(server.url(path), options); });
    EXPECT_NE(error.find("limit reached"), std::string::npos) << path << error;
    EXPECT_NE(error.find("the limit is 99999"), std::string::npos) << path << error;
  }
}

TEST(Fetch, OtherEncodingsAreNamed) {
  LoopbackServer server;
  server.http.Get("/br", [](const httplib::Request&, httplib::Response& response) {
    response.set_header("Content-Encoding", "br");
    response.set_content("??", "text/plain");
  });
  server.start();
  EXPECT_NE(error_of([&] { fetch(server.url("/br"), loopback_options()); }).find("encoded as \"br\""),
            std::string::npos);
}

TEST(Fetch, NobodyListeningIsAnError) {
  int port = 0;
  {
    LoopbackServer server;
    server.start();
    port = server.port();
  }
  try {
    fetch(fmt::format("http://127.0.0.1:{}/", port), loopback_options());
    FAIL();
  } catch (const FetchError& error) {
    EXPECT_TRUE(error.retryable());
    EXPECT_NE(std::string(error.what()).find("refused"), std::string::npos) << error.what();
  }
}

TEST(Fetch, ProxyVariablesAreIgnored) {
  LoopbackServer server;
  answer(server, "/a", "direct");
  server.start();
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  EXPECT_EQ(fetch(server.url("/a"), loopback_options()).body, "direct");
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
}

TEST(Download, ContinuesFromAByteOrSaysThatItStartsAgain) {
  LoopbackServer server;
  answer(server, "/ranges", "0123456789");
  server.http.Get("/plain", [](const httplib::Request&, httplib::Response& response) {
    response.status = 200;
    // A provider without length: httplib applies no range to it.
    response.set_chunked_content_provider("a/b", [](size_t, httplib::DataSink& sink) {
      sink.write("0123456789", 10);
      sink.done();
      return true;
    });
  });
  server.start();
  for (const auto& [path, offset] : {std::pair{"/ranges", 4}, std::pair{"/plain", 0}}) {
    std::string body;
    uint64_t start = 99;
    download(
        server.url(path), loopback_options(), [&](std::string_view piece) { body.append(piece); }, 4,
        [&](const Reply&, uint64_t at) { start = at; });
    EXPECT_EQ(start, static_cast<uint64_t>(offset)) << path;
    EXPECT_EQ(body, std::string("0123456789").substr(static_cast<size_t>(offset))) << path;
  }
}

TEST(Download, ThrowsWhatTheSinkThrows) {
  LoopbackServer server;
  answer(server, "/a", std::string(1 << 20, 'x'));
  server.start();
  EXPECT_THROW(
      download(server.url("/a"), loopback_options(), [](std::string_view) { throw std::string("mine"); }),
      std::string);
  const std::string error = error_of([&] {
    download(server.url("/a"), loopback_options(), [](std::string_view) { VL3_FAIL(kCancelled, "stop"); });
  });
  EXPECT_EQ(error, "cancelled: stop");
}

TEST(Head, GivesRedirectsAsTheyAre) {
  LoopbackServer server;
  server.http.Get("/a", [](const httplib::Request&, httplib::Response& response) {
    response.status = 302;
    response.set_header("Location", "b?x=1");
    response.set_header("X-Linked-Etag", "\"abc\"");
  });
  answer(server, "/b", "12345");
  server.start();
  const Reply reply = head(server.url("/a"), loopback_options());
  EXPECT_EQ(reply.status, 302);
  EXPECT_EQ(reply.location, server.url("/b?x=1"));
  EXPECT_EQ(reply.header("x-linked-etag"), "\"abc\"");
  EXPECT_EQ(head(server.url("/b"), loopback_options()).header("content-length"), "5");
  EXPECT_NE(error_of([&] { head(server.url("/none"), loopback_options()); }).find("not found"),
            std::string::npos);
}

TEST(LeadsToPrivateAddress, TellsThem) {
  EXPECT_TRUE(leads_to_private_address("http://127.0.0.1:1/", 5));
  EXPECT_TRUE(leads_to_private_address("https://localhost/", 5));
  EXPECT_FALSE(leads_to_private_address("https://8.8.8.8/", 5));
}

}  // namespace
}  // namespace vl3::net
