// Fetching over http(s) from addresses that were checked: for media URLs, and the ground the hub client
// stands on.
//
// Rules: TLS certificates are verified against the system's authorities ($SSL_CERT_FILE names others).
// Private, loopback and other non-public addresses are refused unless allowed, the connection goes to the
// very address that was checked, and every redirect is checked again. Limits hold for the whole operation.
// Proxy environment variables are ignored on purpose: a proxy would resolve the host again, after our check.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "vl3/error.h"

namespace vl3::net {

struct Url;

struct FetchOptions {
  uint64_t max_bytes = 1ull << 30;       ///< of the body as handed on, that is after gzip
  double timeout_s = 60;                 ///< for everything: resolving, connecting, redirects, the last byte
  bool allow_private_addresses = false;  ///< loopback, private, link-local, … may be connected to
  int max_redirects = 5;
  std::string bearer_token;  ///< sent as Authorization until a redirect leaves the first origin; never logged
  double idle_timeout_s = 30;  ///< for connecting, and for each wait for more bytes
  /// Called with the URL and with each one a redirect leads to, before it is resolved; throws to refuse it.
  std::function<void(const Url&)> permit = nullptr;
  std::function<bool()> cancelled = nullptr;  ///< polled while waiting; true ends it with kCancelled
};

struct Fetched {
  std::string body;
  std::string content_type;  ///< the Content-Type header as sent, "" without one
  std::string url;           ///< where the body came from, after redirects
};

/// What went wrong on the way: an Error that also knows whether trying again may help.
class FetchError : public Error {
 public:
  FetchError(ErrorCode code, const std::string& message, int http_status, bool may_retry,
             std::optional<double> after_s = std::nullopt)
      : Error(code, message), status_(http_status), retryable_(may_retry), retry_after_s_(after_s) {}
  int status() const { return status_; }         ///< HTTP status, 0 when there was none
  bool retryable() const { return retryable_; }  ///< a time-out, a broken connection, 429 or 5xx
  /// Seconds that the server asks to wait (Retry-After).
  std::optional<double> retry_after_s() const { return retry_after_s_; }

 private:
  int status_;
  bool retryable_;
  std::optional<double> retry_after_s_;
};

/// The head of a reply. Header names are in lower case, values free of control characters; of a name that
/// comes several times, the first value.
struct Reply {
  int status = 0;
  std::string url;  ///< what was asked, after redirects
  std::map<std::string, std::string> headers;
  std::string location;  ///< status 3xx with a Location: the absolute URL it names, else ""

  /// The value of a header, "" without it.
  std::string header(const std::string& lower_case_name) const;
};

/// GETs a whole body into memory.
/// @throws FetchError: kInvalidArgument for a malformed or refused URL, a refused address or certificate,
/// 401, 403;
///         kNotFound for 404, 410 and unknown hosts; kResourceExhausted past max_bytes, timeout_s,
///         idle_timeout_s or max_redirects, and for 429; kCorrupt for a reply that breaks off or is not HTTP;
///         kUnsupported for unreachable hosts, other statuses and encodings. The message names the URL
///         without its query.
Fetched fetch(const std::string& url, const FetchOptions& options);

/// Takes the bytes of a body as they come; may throw to stop.
using Sink = std::function<void(std::string_view)>;
/// Called once before the first byte: the reply and the offset in the whole body that the first byte has.
/// It may throw to stop.
using OnStart = std::function<void(const Reply& reply, uint64_t offset)>;

/// GETs a body piece by piece, from byte `range_start` on. A server without ranges sends from the start
/// again: on_start then says offset 0. max_bytes counts what this call hands to `sink`.
/// @throws as fetch, and whatever the callbacks throw; FetchError with status 416 when the range lies past
/// the end.
Reply download(const std::string& url, const FetchOptions& options, const Sink& sink,
               uint64_t range_start = 0, const OnStart& on_start = nullptr);

/// POSTs a body and takes the whole reply. Redirects are not followed.
/// @throws as fetch; the message holds the beginning of a refusal's body.
Fetched post(const std::string& url, const std::string& content_type, const std::string& body,
             const FetchOptions& options);

/// HEADs one URL without following a redirect, which it returns with its location.
/// @throws as fetch for statuses from 400 on.
Reply head(const std::string& url, const FetchOptions& options);

/// Whether the URL's host has an address that is not public, so that a user who names it means a private
/// network.
/// @throws as fetch for a malformed URL or an unknown host.
bool leads_to_private_address(const std::string& url, double timeout_s);

}  // namespace vl3::net
