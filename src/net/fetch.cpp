#include "net/fetch.h"

#include <algorithm>

#include "core/check.h"
#include "net/exchange.h"
#include "net/gzip.h"

namespace vl3::net {
namespace {

bool is_redirect(const Reply& reply) {
  switch (reply.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return !reply.location.empty();
    default:
      return false;
  }
}

void check_options(const FetchOptions& options) {
  VL3_CHECK(options.timeout_s > 0 && options.idle_timeout_s > 0, kInvalidArgument,
            "timeout_s is {} and idle_timeout_s {}: both must be above 0", options.timeout_s,
            options.idle_timeout_s);
  VL3_CHECK(options.max_redirects >= 0, kInvalidArgument, "max_redirects is {}: it must be 0 or more",
            options.max_redirects);
  // The token itself is never shown.
  const bool plain = std::all_of(options.bearer_token.begin(), options.bearer_token.end(),
                                 [](char c) { return c > 0x20 && c < 0x7f; });
  VL3_CHECK(plain && options.bearer_token.size() <= 4096, kInvalidArgument,
            "the access token has blanks, control characters or more than 4096 characters");
}

FetchError status_error(const Reply& reply, bool with_token) {
  const int status = reply.status;
  std::optional<double> after_s;  // a date instead of seconds is not looked at
  if (const auto seconds = parse_decimal(reply.header("retry-after")))
    after_s = static_cast<double>(*seconds);
  const auto error = [&](ErrorCode code, const std::string& text, bool retryable = false) {
    return FetchError(code, fmt::format("status {}: {}", status, text), status, retryable, after_s);
  };
  switch (status) {
    case 401:
      return error(ErrorCode::kInvalidArgument,
                   with_token ? "the access token is not accepted" : "an access token is needed");
    case 403:
      return error(ErrorCode::kInvalidArgument,
                   with_token ? "the access token does not give access" : "an access token may be needed");
    case 404:
    case 410:
      return error(ErrorCode::kNotFound, "there is nothing at this address");
    case 416:
      return error(ErrorCode::kInvalidArgument, "the part asked for lies outside the file");
    case 408:
    case 429:
      return error(ErrorCode::kResourceExhausted, "the server asks to wait and try later", true);
    default:
      break;
  }
  if (status >= 500) return error(ErrorCode::kUnsupported, "the server failed, try again later", true);
  return error(ErrorCode::kUnsupported, "not an answer that can be used");
}

/// One request to one origin: resolve, check, connect, talk.
Reply run_hop(const Exchange& exchange, const FetchOptions& options,
              const std::function<bool(const Reply&)>& on_head,
              const std::function<void(std::string_view)>& on_body) {
  const Deadline connecting = exchange.deadline.earlier(Deadline::in(exchange.idle_timeout_s));
  const std::vector<Address> addresses =
      resolve_host(exchange.url.host, exchange.url.port, options.allow_private_addresses, connecting);
  std::unique_ptr<Socket> socket = connect_tcp(exchange.url, addresses, connecting);
  const std::unique_ptr<Transport> transport =
      exchange.url.https ? tls_transport(std::move(socket), exchange.url, connecting)
                         : plain_transport(std::move(socket));
  return run_exchange(*transport, exchange, on_head, on_body);
}

/// Runs `action` and puts the URL in front of what it complains about, keeping a FetchError's details.
template <typename Action>
auto naming(const std::string& shown, Action&& action) {
  try {
    return action();
  } catch (const FetchError& error) {
    throw FetchError(error.code(), shown + ": " + error.what(), error.status(), error.retryable(),
                     error.retry_after_s());
  }
}

/// parse_url and resolve_reference throw a plain Error; the interface promises FetchError.
Url parse(const std::string& text) {
  try {
    return parse_url(text);
  } catch (const Error& error) {
    throw FetchError(error.code(), error.what(), 0, false);
  }
}

/// Where a redirect leads, or why it is not followed.
Url next_hop(const Url& from, const Reply& reply, int hops, const FetchOptions& options) {
  if (hops >= options.max_redirects) {
    throw FetchError(ErrorCode::kResourceExhausted,
                     fmt::format("more than {} redirects", options.max_redirects), reply.status, false);
  }
  Url to = parse(reply.location);
  if (from.https && !to.https) {
    throw FetchError(ErrorCode::kUnsupported,
                     fmt::format("redirects to {}, from https to unprotected http: not followed", to.shown()),
                     reply.status, false);
  }
  return to;
}

/// What a body goes through on its way to the caller: gzip undone, bytes counted.
class Body {
 public:
  Body(const FetchOptions& options, const Sink& sink) : options_(options), sink_(sink) {}

  void begin(const Reply& reply) {
    const std::string encoding = reply.header("content-encoding");
    encoded_ = encoding == "gzip" || encoding == "x-gzip" || encoding == "deflate";
    if (!encoded_ && !encoding.empty() && encoding != "identity") {
      throw FetchError(ErrorCode::kUnsupported,
                       fmt::format("encoded as \"{}\", asked for as it is", encoding.substr(0, 40)),
                       reply.status, false);
    }
    if (const auto length = parse_decimal(reply.header("content-length"));
        length && *length > options_.max_bytes) {
      fail_size(*length);
    }
  }

  void append(std::string_view piece) {
    if (encoded_) {
      decoder_.append(piece, [this](std::string_view plain) { pass(plain); });
    } else {
      pass(piece);
    }
  }

  void finish() const {
    if (encoded_) decoder_.finish();
  }
  bool encoded() const { return encoded_; }

 private:
  [[noreturn]] void fail_size(uint64_t size) const {
    throw FetchError(ErrorCode::kResourceExhausted,
                     fmt::format("{} bytes or more, the limit is {}", size, options_.max_bytes), 0, false);
  }

  void pass(std::string_view plain) {
    done_ += plain.size();
    if (done_ > options_.max_bytes) fail_size(done_);
    sink_(plain);
  }

  const FetchOptions& options_;
  const Sink& sink_;
  GzipDecoder decoder_;
  bool encoded_ = false;
  uint64_t done_ = 0;
};

/// The offset at which a reply's body starts in the whole, checked against what was asked for.
uint64_t body_offset(const Reply& reply, uint64_t range_start, bool encoded) {
  if (reply.status != 206) return 0;
  const std::string range = reply.header("content-range");
  const size_t dash = range.find('-');
  const bool bytes = range.starts_with("bytes ") && dash != std::string::npos;
  const auto first = bytes ? parse_decimal(std::string_view(range).substr(6, dash - 6)) : std::nullopt;
  if (!first || *first != range_start || encoded) {
    throw FetchError(ErrorCode::kCorrupt,
                     fmt::format("asked for the part from byte {}, got Content-Range \"{}\"{}", range_start,
                                 range.substr(0, 60), encoded ? " of an encoded body" : ""),
                     416, false);  // to the caller the same as a range refused: start from the beginning
  }
  return *first;
}

}  // namespace

std::string Reply::header(const std::string& lower_case_name) const {
  const auto it = headers.find(lower_case_name);
  return it == headers.end() ? "" : it->second;
}

Reply download(const std::string& url, const FetchOptions& options, const Sink& sink, uint64_t range_start,
               const OnStart& on_start) {
  check_options(options);
  Exchange exchange{.method = "GET",
                    .url = parse(url),
                    .bearer_token = options.bearer_token,
                    .range_start = range_start,
                    .max_bytes = options.max_bytes,
                    .idle_timeout_s = options.idle_timeout_s,
                    .deadline = Deadline::in(options.timeout_s).unless(options.cancelled)};
  for (int hops = 0;; ++hops) {
    Reply reply;
    if (options.permit) options.permit(exchange.url);
    const std::string shown = exchange.url.shown();
    const bool done = naming(shown, [&] {
      Body body(options, sink);
      const auto on_head = [&](const Reply& head) {
        if (is_redirect(head)) return false;
        if (head.status != 200 && head.status != 206 && head.status != 204) {
          throw status_error(head, !exchange.bearer_token.empty());
        }
        body.begin(head);
        const uint64_t offset = body_offset(head, range_start, body.encoded());
        if (on_start) on_start(head, offset);
        return true;
      };
      reply = run_hop(exchange, options, on_head, [&](std::string_view piece) { body.append(piece); });
      if (!is_redirect(reply)) {
        body.finish();
        return true;
      }
      const Url to = next_hop(exchange.url, reply, hops, options);
      if (!to.same_origin(exchange.url))
        exchange.bearer_token.clear();  // for good, also if the way leads back
      exchange.url = to;
      return false;
    });
    if (done) return reply;
  }
}

Fetched fetch(const std::string& url, const FetchOptions& options) {
  Fetched fetched;
  const Reply reply = download(url, options, [&](std::string_view piece) { fetched.body.append(piece); });
  fetched.content_type = reply.header("content-type");
  fetched.url = reply.url;
  return fetched;
}

Fetched post(const std::string& url, const std::string& content_type, const std::string& body,
             const FetchOptions& options) {
  check_options(options);
  const Exchange exchange{.method = "POST",
                          .url = parse(url),
                          .bearer_token = options.bearer_token,
                          .body = body,
                          .content_type = content_type,
                          .range_start = 0,
                          .max_bytes = options.max_bytes,
                          .idle_timeout_s = options.idle_timeout_s,
                          .deadline = Deadline::in(options.timeout_s).unless(options.cancelled)};
  return naming(exchange.url.shown(), [&] {
    Fetched fetched;
    const Sink keep = [&](std::string_view piece) { fetched.body.append(piece); };
    Body decoded(options, keep);
    const auto on_head = [&](const Reply& head) {
      decoded.begin(head);
      return true;
    };
    const Reply reply =
        run_hop(exchange, options, on_head, [&](std::string_view piece) { decoded.append(piece); });
    decoded.finish();
    if (reply.status != 200) {
      const FetchError error = status_error(reply, !exchange.bearer_token.empty());
      throw FetchError(error.code(),
                       fmt::format("{}; the reply says: {}", error.what(), fetched.body.substr(0, 300)),
                       error.status(), error.retryable(), error.retry_after_s());
    }
    fetched.content_type = reply.header("content-type");
    fetched.url = reply.url;
    return fetched;
  });
}

Reply head(const std::string& url, const FetchOptions& options) {
  check_options(options);
  const Exchange exchange{.method = "HEAD",
                          .url = parse(url),
                          .bearer_token = options.bearer_token,
                          .range_start = 0,
                          .max_bytes = 0,
                          .idle_timeout_s = options.idle_timeout_s,
                          .deadline = Deadline::in(options.timeout_s).unless(options.cancelled)};
  return naming(exchange.url.shown(), [&] {
    Reply reply = run_hop(
        exchange, options, [](const Reply&) { return true; }, [](std::string_view) {});
    if (reply.status < 200 || reply.status >= 400) throw status_error(reply, !exchange.bearer_token.empty());
    return reply;
  });
}

bool leads_to_private_address(const std::string& url, double timeout_s) {
  const Url parsed = parse(url);
  const std::vector<Address> addresses =
      resolve_host(parsed.host, parsed.port, true, Deadline::in(timeout_s));
  return std::any_of(addresses.begin(), addresses.end(),
                     [](const Address& address) { return non_public_reason(address) != nullptr; });
}

}  // namespace vl3::net
