// One connection of HttpServer. Lives on the server's thread; the Responder side may be called from any.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>
#include <mutex>

#include "serve/http/server.h"

namespace vl3::serve {

class Session;

/// What sessions share with their server.
struct SessionOwner {
  SessionOwner(HttpServerOptions server_options, HttpServer::Gate gate_function,
               HttpServer::Handler handler_function, HttpServer::ErrorBody error_body_function)
      : options(std::move(server_options)),
        gate(std::move(gate_function)),
        handler(std::move(handler_function)),
        error_body(std::move(error_body_function)) {}
  virtual ~SessionOwner() = default;
  virtual void gone(Session* session) = 0;

  HttpServerOptions options;
  HttpServer::Gate gate;
  HttpServer::Handler handler;
  HttpServer::ErrorBody error_body;
  /// Answers may come after the server is gone: what they are posted to outlives it.
  const std::shared_ptr<boost::asio::io_context> shared_io = std::make_shared<boost::asio::io_context>(1);
  boost::asio::io_context& io = *shared_io;
  bool draining = false;        // server's thread only
  uint64_t buffered_bytes = 0;  // server's thread only
  std::atomic<size_t> connections{0}, busy{0};
  std::atomic<uint64_t> accepted{0}, refused{0}, timed_out{0}, malformed{0}, slow_readers{0};
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(boost::asio::ip::tcp::socket socket, SessionOwner& owner);
  ~Session();
  void start() { read_head(); }
  void close();
  void close_if_idle();

 private:
  class Reply;
  enum class State { kIdle, kReading, kAnswering, kLingering, kClosed };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using ErrorCode = boost::system::error_code;

  void read_head();
  void wait_for_bytes();
  void on_head(ErrorCode error);
  void begin_body();
  void read_body();
  /// Counts the body so far among those of all sessions. @return whether there is room for it.
  bool charge(uint64_t bytes);
  void on_body(ErrorCode error);
  void refuse(int status, const std::string& message);
  void refuse(const HttpResponse& response);
  void dispatch();
  void watch();
  void on_readable(ErrorCode error);

  // The Reply's calls, on the server's thread. `turn` names the request they answer.
  void send(uint64_t turn, const HttpResponse& response);
  void begin(uint64_t turn, const HttpResponse& head);
  void write(uint64_t turn, std::string piece);
  void end(uint64_t turn);
  bool answers(uint64_t turn) const { return state_ == State::kAnswering && turn == turn_; }

  std::string head_text(const HttpResponse& response, bool chunked) const;
  void queue(std::string bytes);
  void write_next();
  void on_written(ErrorCode error, size_t size);
  void finished();
  void linger();
  void drain_input();
  void set_busy(bool busy);
  void arm(double seconds);
  void disarm() { deadline_ = std::chrono::steady_clock::time_point::max(); }
  void wait_timer();

  boost::asio::ip::tcp::socket socket_;
  SessionOwner& owner_;
  boost::asio::steady_timer timer_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  bool timer_waits_ = false;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  std::vector<std::pair<std::string, std::string>> response_headers_;
  State state_ = State::kIdle;
  bool busy_ = false, keep_alive_ = true, chunked_ = false, ended_ = false, head_only_ = false;
  bool watching_ = false;
  uint64_t turn_ = 0, charged_bytes_ = 0;
  std::shared_ptr<Reply> reply_;
  std::deque<std::string> out_;
  size_t out_offset_ = 0;
  bool writing_ = false;
  std::array<char, 4096> scrap_{};
  int64_t drained_ = 0;
};

}  // namespace vl3::serve
