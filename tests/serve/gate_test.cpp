#include "serve/gate.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vl3::serve {
namespace {

struct Answer {
  int status = 0;  ///< 0: let in
  HttpRequest head;
  HttpResponse response;

  std::string header(const std::string& name) const {
    for (const auto* headers : {&head.response_headers, &response.headers}) {
      for (const auto& [key, value] : *headers) {
        if (key == name) return value;
      }
    }
    return "";
  }
};

Answer call(const GateOptions& options, const std::string& path,
            const std::map<std::string, std::string>& headers = {{"host", "127.0.0.1:8000"}},
            const std::string& method = "GET") {
  Answer answer;
  answer.head.method = method;
  answer.head.path = path;
  answer.head.headers = headers;
  if (auto refusal = Gate(options)(answer.head)) {
    answer.status = refusal->status;
    answer.response = *refusal;
  }
  return answer;
}

TEST(Gate, WithoutAKeyOnlyAddressesAndOwnNamesAreTaken) {
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "192.168.1.7:80", "LOCALHOST:8000", "localhost."})
    EXPECT_EQ(call({}, "/version", {{"host", host}}).status, 0) << host;
  for (const char* host : {"rebound.example:8000", "127.0.0.1.example", "", "[::1", "localhost.evil.example"})
    EXPECT_EQ(call({}, "/version", {{"host", host}}).status, 403) << host;
  const std::map<std::string, std::string> with_key = {{"host", "public.example"},
                                                       {"authorization", "bearer k"}};
  GateOptions keyed, named;
  keyed.api_keys = {"k"};
  EXPECT_EQ(call(keyed, "/version", with_key).status, 0);
  named.allowed_hosts = {"Other.example"};
  keyed.allowed_hosts = named.allowed_hosts;
  EXPECT_EQ(call(keyed, "/version", with_key).status, 403);
  EXPECT_EQ(call(named, "/version", {{"host", "other.EXAMPLE:1"}}).status, 0);
}

TEST(Gate, PagesOfAllowedOriginsMayReadTheAnswer) {
  const auto from = [](const std::string& origin) {
    return std::map<std::string, std::string>{{"host", "localhost:8000"}, {"origin", origin}};
  };
  EXPECT_EQ(call({}, "/v1/models", from("http://evil.example")).status, 403);
  EXPECT_EQ(call({}, "/v1/models", from("http://evil.example")).header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(call({}, "/v1/models", from("null")).status, 403);
  EXPECT_EQ(call({}, "/v1/models", from("http://localhost:8000")).status, 0);
  GateOptions options;
  options.allowed_origins = {"http://app.example"};
  const Answer read = call(options, "/v1/models", from("http://app.example"));
  EXPECT_EQ(read.status, 0);
  EXPECT_EQ(read.header("Access-Control-Allow-Origin"), "http://app.example");
  EXPECT_EQ(read.header("Vary"), "Origin");
  const Answer preflight = call(options, "/v1/chat/completions", from("http://app.example"), "OPTIONS");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "http://app.example");
  EXPECT_NE(preflight.header("Access-Control-Allow-Headers").find("X-Media-Key"), std::string::npos);
  const Answer unknown = call(options, "/nowhere", from("http://app.example"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.header("Access-Control-Allow-Origin"), "http://app.example") << "errors can be read, too";
}

TEST(Gate, GivesEveryRequestAnId) {
  EXPECT_EQ(call({}, "/health", {{"host", "localhost"}, {"x-request-id", "mine-1"}}).header("X-Request-Id"),
            "mine-1");
  for (const std::string& bad :
       {std::string(), std::string("two words"), std::string("line\r\nfeed"), std::string(200, 'x')}) {
    const Answer answer = call({}, "/nowhere", {{"host", "localhost"}, {"x-request-id", bad}});
    EXPECT_EQ(answer.header("X-Request-Id").size(), 32u) << bad;
    EXPECT_EQ(answer.head.header("x-request-id"), answer.header("X-Request-Id"));
  }
}

}  // namespace
}  // namespace vl3::serve
