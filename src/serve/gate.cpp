#include "serve/gate.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <random>

#include "core/ascii.h"
#include "core/digest.h"
#include "core/printable.h"
#include "serve/openai/api_error.h"
#include "serve/page.h"

namespace vl3::serve {
namespace {

struct Endpoint {
  const char* path;
  const char* method;
  bool needs_key;
};

constexpr Endpoint kEndpoints[] = {
    {"/health", "GET", false},         {"/ping", "GET", false},
    {"/version", "GET", true},         {"/load", "GET", true},
    {"/metrics", "GET", true},         {"/v1/models", "GET", true},
    {"/openapi.yaml", "GET", true},    {"/v1/chat/completions", "POST", true},
    {"/v1/completions", "POST", true}, {"/v1/plan", "POST", true},
    {"/tokenize", "POST", true},       {"/detokenize", "POST", true},
};
constexpr Endpoint kModel = {"", "GET", true}, kPageFile = {"", "GET", false};

const Endpoint* endpoint_of(const std::string& path, bool page) {
  for (const Endpoint& endpoint : kEndpoints) {
    if (path == endpoint.path) return &endpoint;
  }
  if (path.starts_with(kModelsPrefix)) return &kModel;
  return page && find_page_file(path) != nullptr ? &kPageFile : nullptr;
}

// "LOCALHOST.:8000" -> "localhost", "[::1]:8000" -> "[::1]".
std::string host_name(const std::string& authority) {
  if (authority.starts_with('[')) return ascii_lower(authority.substr(0, authority.find(']') + 1));
  std::string name = ascii_lower(authority.substr(0, authority.find(':')));
  if (name.ends_with('.')) name.pop_back();
  return name;
}

bool is_address(std::string name) {
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error;
}

bool equal_in_constant_time(const std::string& a, const std::string& b) {
  const Sha256Bytes x = sha256(a), y = sha256(b);
  return CRYPTO_memcmp(x.data(), y.data(), x.size()) == 0;
}

// It is sent back and logged.
bool usable_id(const std::string& id) {
  return !id.empty() && id.size() <= 128 &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

HttpResponse refusal(const ApiError& error) { return {.status = error.status(), .body = error_json(error)}; }

}  // namespace

std::string random_id() {
  static thread_local std::mt19937_64 generator{std::random_device{}()};
  return fmt::format("{:016x}{:016x}", generator(), generator());
}

Gate::Gate(GateOptions options) : options_(std::move(options)), own_names_{"localhost"} {
  for (std::string& host : options_.allowed_hosts) host = host_name(host);
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0') {
    own_names_.push_back(host_name(name));
    own_names_.push_back(host_name(name) + ".local");
  }
}

bool Gate::has_key(const HttpRequest& head) const {
  if (options_.api_keys.empty()) return true;
  const std::string given = head.header("authorization");
  if (given.size() < 7 || ascii_lower(given.substr(0, 7)) != "bearer ") return false;
  bool known = false;
  for (const std::string& key : options_.api_keys) known |= equal_in_constant_time(given.substr(7), key);
  return known;
}

bool Gate::knows_host(const std::string& host) const {
  const std::string name = host_name(host);
  const auto in = [&name](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!options_.allowed_hosts.empty()) return in(options_.allowed_hosts);
  return !options_.api_keys.empty() || is_address(name) || in(own_names_);
}

bool Gate::takes_origin(const std::string& origin, const std::string& host) const {
  const auto& list = options_.allowed_origins;
  return origin.empty() || origin == "http://" + host || origin == "https://" + host ||
         std::find(list.begin(), list.end(), origin) != list.end() ||
         std::find(list.begin(), list.end(), "*") != list.end();
}

std::optional<HttpResponse> Gate::operator()(HttpRequest& head) const {
  std::string& id = head.headers["x-request-id"];
  if (!usable_id(id)) id = random_id();
  head.response_headers = {{"X-Request-Id", id}};
  const std::string host = head.header("host"), origin = head.header("origin");
  if (!knows_host(host))
    return refusal({403, fmt::format("Host {} is not this server (--allowed-hosts)", printable(host))});
  if (!takes_origin(origin, host))
    return refusal({403, "pages of other hosts may not call this server (--allowed-origins)"});
  if (!origin.empty()) {
    head.response_headers.emplace_back("Access-Control-Allow-Origin", origin);
    head.response_headers.emplace_back("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
    head.response_headers.emplace_back("Vary", "Origin");
  }
  const Endpoint* found = endpoint_of(head.path, options_.page);
  if (head.method == "OPTIONS" && !origin.empty() && found != nullptr)
    return HttpResponse{.status = 204,
                        .content_type = "",
                        .headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                                    {"Access-Control-Allow-Headers",
                                     "Authorization, Content-Type, X-Request-Id, X-Media-Key"},
                                    {"Access-Control-Max-Age", "600"}}};
  if ((found == nullptr || found->needs_key) && !has_key(head)) {
    HttpResponse response =
        refusal({401, "a valid API key is needed: Authorization: Bearer KEY", "", "invalid_api_key"});
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  if (found == nullptr) return refusal({404, fmt::format("there is no {}", printable(head.path))});
  const bool get = head.method == "GET" || head.method == "HEAD";
  if (get != (std::string_view(found->method) == "GET") || (!get && head.method != "POST")) {
    HttpResponse response = refusal({405, fmt::format("{} takes {}", printable(head.path), found->method)});
    response.headers.emplace_back("Allow", found->method);
    return response;
  }
  const std::string type = head.header("content-type");
  if (!get && !ascii_lower(type).starts_with("application/json"))
    return refusal(
        {415, fmt::format("Content-Type must be application/json, found \"{}\"", printable(type))});
  return std::nullopt;
}

}  // namespace vl3::serve
