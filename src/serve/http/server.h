// An event-driven HTTP/1.1 server: one thread watches every connection, so idle ones and open streams cost
// memory only. What requests mean is the handler's; this knows framing, limits, time-outs and disconnects.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vl3::serve {

struct HttpRequest {
  std::string method;
  std::string path;                            ///< of the target, percent escapes as sent
  std::string query;                           ///< behind "?", "" without one
  std::map<std::string, std::string> headers;  ///< names in lower case; of a name sent twice, the first value
  std::string body;
  std::string peer;  ///< the client's address
  /// Of whatever answers this request, set by the gate.
  std::vector<std::pair<std::string, std::string>> response_headers;

  std::string header(const std::string& lower_case_name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// Answers one request, once: send(), or begin() write()… end(). Any thread, any time; calls after the
/// connection is gone do nothing.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(HttpResponse response) = 0;
  virtual void begin(HttpResponse head) = 0;
  /// @return false when the client is gone, or reads so slowly that more than max_pending_bytes wait (the
  /// connection is then closed).
  virtual bool write(std::string piece) = 0;
  virtual void end() = 0;
  /// `gone` is called once if the client goes away before the answer was given whole; at once if it has.
  virtual void on_gone(std::function<void()> gone) = 0;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;  ///< 0: any free one
  uint64_t max_body_bytes = 256ull << 20;
  /// Bodies of all requests together, as they come in; those of up to kSmallBody bytes are always taken.
  uint64_t max_buffered_bytes = 1ull << 30;
  uint32_t max_head_bytes = 32 << 10;
  size_t max_connections = 20'000;
  size_t max_pending_bytes = 4 << 20;  ///< of one stream whose client does not read
  double idle_timeout_s = 75;          ///< between requests of a connection
  double head_timeout_s = 20;          ///< from the first byte of a request to the end of its head
  double body_timeout_s = 300;
  double write_timeout_s = 30;  ///< without a byte being taken
};

struct HttpServerStats {
  size_t connections = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;  ///< over max_connections
  uint64_t timed_out = 0;
  uint64_t malformed = 0;
  uint64_t slow_readers = 0;
};

class HttpServer {
 public:
  static constexpr uint64_t kSmallBody = 64 << 10;

  /// Looks at a request's head before its body is read, and may complete it; a response given ends the
  /// request there.
  using Gate = std::function<std::optional<HttpResponse>(HttpRequest& head)>;
  /// Called on the server's thread: quick, or hands the work to another one.
  using Handler = std::function<void(HttpRequest request, std::shared_ptr<Responder> responder)>;
  /// The body of the server's own refusals (400, 408, 413, 431, 503).
  using ErrorBody = std::function<std::string(int status, const std::string& message)>;

  /// Binds and listens. @throws Error(kInvalidArgument) for an address that cannot be bound.
  HttpServer(HttpServerOptions options, Gate gate, Handler handler, ErrorBody error_body);
  ~HttpServer();  ///< stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  HttpServerStats stats() const;

  /// From now on every connection ends after its answer; idle ones are closed. New ones are still taken, so
  /// that whoever asks is told.
  void drain();
  /// Requests that are being read or answered.
  size_t busy() const;
  /// Closes everything and joins the thread.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether only this machine can reach a server that listens there.
bool is_loopback(const std::string& host);

/// "Not Found" for 404.
std::string_view reason_phrase(int status);

}  // namespace vl3::serve
