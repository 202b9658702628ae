// Who may call which endpoint, decided on a request's head before its body is read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "serve/http/server.h"

namespace vl3::serve {

struct GateOptions {
  std::vector<std::string> api_keys;  ///< empty: everybody
  /// Host headers taken, without ports. Empty: with a key any; without one, addresses and this machine's own
  /// names (a page elsewhere whose name leads here must not reach a server that asks for no key).
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> allowed_origins;  ///< web pages of other hosts that may call, "*" any
  bool page = true;                          ///< serve the web page
};

class Gate {
 public:
  explicit Gate(GateOptions options);

  /// Gives the request an id where it brought none that can be used, and sets the headers of its response:
  /// the id, and what a page of an allowed origin needs to read it.
  /// @return the refusal (401, 403, 404, 405, 415) or the answer to a preflight; nullopt lets the request in.
  std::optional<HttpResponse> operator()(HttpRequest& head) const;

 private:
  bool has_key(const HttpRequest& head) const;
  bool knows_host(const std::string& host) const;
  bool takes_origin(const std::string& origin, const std::string& host) const;

  GateOptions options_;
  std::vector<std::string> own_names_;
};

/// 32 hexadecimal digits that are nobody else's.
std::string random_id();

/// The endpoint's prefix before a model's name.
inline constexpr std::string_view kModelsPrefix = "/v1/models/";

}  // namespace vl3::serve
