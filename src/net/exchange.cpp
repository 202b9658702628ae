#include "net/exchange.h"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/ascii.h"
#include "core/check.h"

namespace vl3::net {
namespace {

// httplib reads lines of any length; these bounds keep a hostile server from filling memory through them. The
// status line goes through std::regex, which recurses once a character, hence its own, smaller bound.
constexpr size_t kMaxStatusLine = 1024;
constexpr size_t kMaxLine = 8192;
constexpr uint64_t kMaxHead = 64 << 10;

/// httplib's view of the transport: buffered, with deadlines and size bounds that throw.
class LimitedStream : public httplib::Stream {
 public:
  LimitedStream(Transport& transport, const Exchange& exchange)
      : transport_(transport), exchange_(exchange) {}

  ssize_t read(char* out, size_t size) override {
    if (position_ == filled_) {
      filled_ = transport_.read(buffer_.data(), buffer_.size(), next_deadline());
      position_ = 0;
      if (filled_ == 0) return 0;
    }
    const size_t count = std::min(size, filled_ - position_);
    std::memcpy(out, buffer_.data() + position_, count);
    position_ += count;
    track(out, count, size == 1);
    return static_cast<ssize_t>(count);
  }

  ssize_t write(const char* data, size_t size) override {
    transport_.write(data, size, next_deadline());
    return static_cast<ssize_t>(size);
  }

  /// The head is in: from here on the body's bound holds. Chunk headers add to it, hence the slack.
  void begin_body() {
    in_body_ = true;
    body_limit_ =
        passed_ + exchange_.max_bytes + std::min<uint64_t>(exchange_.max_bytes, 1ull << 62) + (1 << 20);
  }
  uint64_t passed() const { return passed_; }

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { unknown(ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const override { unknown(ip, port); }
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  static void unknown(std::string& ip, int& port) {
    ip.clear();
    port = 0;
  }

  Deadline next_deadline() const {
    return exchange_.deadline.earlier(Deadline::in(exchange_.idle_timeout_s));
  }

  /// httplib reads lines (status, headers, chunk sizes) byte by byte and bodies in larger pieces.
  void track(const char* data, size_t count, bool in_line) {
    passed_ += count;
    VL3_DCHECK(count > 0);
    if (!in_line) {
      line_ = 0;
      after_blank_ = true;
    } else if (data[0] == '\n') {
      after_blank_ = line_ <= 1;
      line_ = 0;
    } else {
      ++line_;
    }
    if (line_ > (after_blank_ ? kMaxStatusLine : kMaxLine) || (!in_body_ && passed_ > kMaxHead)) {
      throw FetchError(ErrorCode::kCorrupt,
                       fmt::format("the reply's head is too long (limit {} bytes)", kMaxHead), 0, false);
    }
    if (in_body_ && passed_ > body_limit_) {
      throw FetchError(ErrorCode::kResourceExhausted,
                       fmt::format("the reply passes the limit of {} bytes", exchange_.max_bytes), 0, false);
    }
  }

  Transport& transport_;
  const Exchange& exchange_;
  std::array<char, 65536> buffer_{};
  size_t position_ = 0;
  size_t filled_ = 0;
  size_t line_ = 0;          ///< length so far of the line being read
  bool after_blank_ = true;  ///< a status or chunk-size line may come now
  bool in_body_ = false;
  uint64_t passed_ = 0;
  uint64_t body_limit_ = 0;
};

/// Lends httplib's request writer and reply parser to a stream of ours; its own sockets stay unused.
class Framing : public httplib::ClientImpl {
 public:
  explicit Framing(const Url& url) : ClientImpl(url.host, url.port) {
    set_url_encode(false);  // the target is clean and encoded already
    set_decompress(false);  // gzip.h bounds it and notices a truncated stream
    set_follow_location(false);
  }

  bool run(httplib::Stream& stream, httplib::Request& request, httplib::Response& response) {
    auto error = httplib::Error::Success;
    return process_request(stream, request, response, /*close_connection=*/true, error);
  }
};

bool printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7f;
  });
}

Reply to_reply(const httplib::Response& response, const Url& url) {
  Reply reply;
  reply.status = response.status;
  reply.url = url.str();
  for (const auto& [name, value] : response.headers) {
    std::string key = ascii_lower(name);
    // httplib undoes percent escapes in values, so a control character can get in; such a header is dropped.
    if (printable(key) && printable(value)) reply.headers.emplace(std::move(key), value);
  }
  const std::string location = reply.header("location");
  if (reply.status >= 300 && reply.status < 400 && !location.empty()) {
    try {
      reply.location = resolve_reference(url, location).str();
    } catch (const Error& error) {
      // The address is the server's mistake, not the caller's.
      throw FetchError(ErrorCode::kCorrupt, fmt::format("redirects to an unusable address: {}", error.what()),
                       reply.status, false);
    }
  }
  return reply;
}

}  // namespace

Reply run_exchange(Transport& transport, const Exchange& exchange,
                   const std::function<bool(const Reply&)>& on_head,
                   const std::function<void(std::string_view)>& on_body) {
  LimitedStream stream(transport, exchange);
  httplib::Request request;
  request.method = exchange.method;
  request.path = exchange.url.target;
  request.headers = {
      {"Host", exchange.url.authority()},
      {"Accept", "*/*"},
      {"Accept-Encoding", "identity"},  // sizes, ranges and hashes are those of the file itself
      {"User-Agent", "vl3"}};
  if (!exchange.bearer_token.empty())
    request.headers.emplace("Authorization", "Bearer " + exchange.bearer_token);
  if (exchange.method == "POST") {
    request.body = exchange.body;
    request.headers.emplace("Content-Type", exchange.content_type);
  }
  if (exchange.range_start > 0) {
    request.headers.emplace("Range", "bytes=" + std::to_string(exchange.range_start) + "-");
  }

  Reply reply;
  bool wanted = true;
  request.response_handler = [&](const httplib::Response& response) {
    stream.begin_body();
    reply = to_reply(response, exchange.url);
    const std::string length = reply.header("content-length");
    if ((!length.empty() && !parse_decimal(length)) ||
        response.get_header_value_count("Content-Length") > 1) {
      throw FetchError(ErrorCode::kCorrupt, fmt::format("Content-Length is \"{}\"", length.substr(0, 40)), 0,
                       false);
    }
    wanted = on_head(reply);
    return wanted;
  };
  request.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
    on_body({data, size});
    return true;
  };

  Framing framing(exchange.url);
  httplib::Response response;
  const bool whole = framing.run(stream, request, response);
  if (!wanted) return reply;
  if (!whole) {
    const bool nothing = stream.passed() == 0;
    throw FetchError(ErrorCode::kCorrupt,
                     nothing
                         ? std::string("the server closed the connection without a reply")
                         : fmt::format("the reply broke off or is not HTTP, after {} bytes", stream.passed()),
                     0, true);
  }
  if (reply.status == 0) {  // HEAD and 204 have no body: httplib skips the handler
    reply = to_reply(response, exchange.url);
    on_head(reply);
  }
  return reply;
}

}  // namespace vl3::net
