#include "serve/http/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

#include "core/ascii.h"
#include "core/log.h"

namespace vl3::serve {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr double kLingerSeconds = 2;
constexpr int64_t kLingerBytes = 64 << 20;
constexpr size_t kReadAhead = 64 << 10;  // bytes of a next request that are taken while one is answered

// Not the request's fault: nobody is there to be told.
bool connection_ended(const boost::system::error_code& error) {
  if (!error) return false;
  return error == http::error::end_of_stream || error == http::error::partial_message ||
         error.category() == asio::error::get_system_category() ||
         error.category() == asio::error::get_misc_category();
}

}  // namespace

/// The handler's end of a request; outlives the session harmlessly.
class Session::Reply : public Responder {
 public:
  Reply(std::weak_ptr<Session> session, std::shared_ptr<asio::io_context> io, uint64_t turn,
        size_t max_pending)
      : session_(std::move(session)), io_(std::move(io)), turn_(turn), max_pending_(max_pending) {}

  void send(HttpResponse response) override {
    post([response = std::move(response)](Session& s, uint64_t turn) { s.send(turn, response); });
  }
  void begin(HttpResponse head) override {
    post([head = std::move(head)](Session& s, uint64_t turn) { s.begin(turn, head); });
  }
  bool write(std::string piece) override {
    if (gone_.load()) return false;
    if (pending.fetch_add(piece.size()) + piece.size() > max_pending_) {
      post([](Session& s, uint64_t turn) {
        if (!s.answers(turn)) return;
        ++s.owner_.slow_readers;
        s.close();
      });
      return false;
    }
    post([piece = std::move(piece)](Session& s, uint64_t turn) mutable { s.write(turn, std::move(piece)); });
    return true;
  }
  void end() override {
    post([](Session& s, uint64_t turn) { s.end(turn); });
  }
  void on_gone(std::function<void()> gone) override {
    {
      const std::lock_guard lock(mutex_);
      if (complete_) return;
      if (!gone_) {
        listener_ = std::move(gone);
        return;
      }
    }
    gone();
  }

  /// The connection ended (whole = false), or the answer is out.
  void over(bool whole) {
    std::function<void()> listener;
    {
      const std::lock_guard lock(mutex_);
      listener = std::exchange(listener_, nullptr);
      if (whole) complete_ = true;
      if (!whole) gone_ = true;
    }
    if (!whole && listener) listener();
  }

  std::atomic<size_t> pending{0};  // bytes of write() that the socket has not taken

 private:
  template <typename Action>
  void post(Action action) {
    asio::post(*io_, [session = session_, turn = turn_, action = std::move(action)]() mutable {
      if (const auto alive = session.lock()) action(*alive, turn);
    });
  }

  std::weak_ptr<Session> session_;
  const std::shared_ptr<asio::io_context> io_;
  const uint64_t turn_;
  const size_t max_pending_;
  std::mutex mutex_;
  std::function<void()> listener_;
  std::atomic<bool> gone_{false};
  bool complete_ = false;
};

Session::Session(asio::ip::tcp::socket socket, SessionOwner& owner)
    : socket_(std::move(socket)), owner_(owner), timer_(owner.io) {}

Session::~Session() = default;

// ---- time

// One pending wait a session; the deadline may move while it waits.
void Session::arm(double seconds) {
  deadline_ =
      std::chrono::steady_clock::now() +
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
  if (!timer_waits_ || timer_.expiry() > deadline_) wait_timer();
}

void Session::wait_timer() {
  timer_waits_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](ErrorCode error) {
    if (error == asio::error::operation_aborted) return;  // set again, or closed
    self->timer_waits_ = false;
    if (self->state_ == State::kClosed || self->deadline_ == std::chrono::steady_clock::time_point::max())
      return;
    if (std::chrono::steady_clock::now() < self->deadline_) {
      self->wait_timer();
      return;
    }
    ++self->owner_.timed_out;
    if (self->state_ == State::kReading && !self->ended_) {
      self->refuse(408, "the request did not arrive in time");
    } else {
      self->close();
    }
  });
}

// ---- reading

void Session::read_head() {
  state_ = State::kIdle;
  set_busy(false);
  if (owner_.draining && turn_ > 0 && buffer_.size() == 0) return close();
  ++turn_;
  request_ = HttpRequest();
  response_headers_.clear();
  parser_.emplace();
  parser_->header_limit(owner_.options.max_head_bytes);
  parser_->body_limit(owner_.options.max_body_bytes);
  ended_ = chunked_ = false;
  if (buffer_.size() > 0) return wait_for_bytes();
  buffer_.shrink_to_fit();
  arm(owner_.options.idle_timeout_s);
  // No buffer is held while nothing comes: ten thousand idle connections stay cheap.
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this(), turn = turn_](ErrorCode error) {
                       if (self->state_ != State::kIdle || turn != self->turn_) return;
                       if (error) return self->close();
                       self->wait_for_bytes();
                     });
}

void Session::wait_for_bytes() {
  state_ = State::kReading;
  arm(owner_.options.head_timeout_s);
  http::async_read_header(socket_, buffer_, *parser_,
                          [self = shared_from_this()](ErrorCode error, size_t) { self->on_head(error); });
}

void Session::on_head(ErrorCode error) {
  if (state_ != State::kReading) return;
  if (error == http::error::header_limit) return refuse(431, "the request's head is too large");
  if (error == http::error::body_limit) return refuse(413, "the request's body is too large");
  if (connection_ended(error)) return close();
  if (error) {
    ++owner_.malformed;
    return refuse(400, "not an HTTP request: " + error.message());
  }
  set_busy(true);
  const auto& head = parser_->get();
  keep_alive_ = head.keep_alive();
  request_.method = std::string(head.method_string());
  head_only_ = head.method() == http::verb::head;
  const std::string target(head.target());
  const size_t question = target.find('?');
  request_.path = target.substr(0, question);
  if (question != std::string::npos) request_.query = target.substr(question + 1);
  for (const auto& field : head)
    request_.headers.emplace(ascii_lower(std::string(field.name_string())), std::string(field.value()));
  ErrorCode ignored;
  request_.peer = socket_.remote_endpoint(ignored).address().to_string();
  const auto count = [&head](http::field field) { return head.count(field); };
  if (count(http::field::content_length) + count(http::field::transfer_encoding) > 1) {
    ++owner_.malformed;
    return refuse(400, "more than one length of the body");
  }
  // What the parser does not take for chunked would be read as the next request.
  if (count(http::field::transfer_encoding) > 0 &&
      ascii_lower(request_.header("transfer-encoding")) != "chunked") {
    ++owner_.malformed;
    return refuse(501, "Transfer-Encoding: only chunked is known here");
  }
  if (count(http::field::host) > 1) {
    ++owner_.malformed;
    return refuse(400, "more than one Host");
  }
  const std::optional<HttpResponse> refusal = owner_.gate(request_);
  response_headers_ = std::move(request_.response_headers);
  if (refusal) return refuse(*refusal);
  const uint64_t length = parser_->content_length().value_or(0);
  if (length > owner_.options.max_body_bytes)
    return refuse(
        413, fmt::format("the body has {} bytes, the limit is {}", length, owner_.options.max_body_bytes));
  if (ascii_lower(request_.header("expect")) == "100-continue" && !parser_->is_done()) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(socket_, asio::buffer(kContinue),
                      [self = shared_from_this()](ErrorCode failed, size_t) {
                        if (self->state_ != State::kReading) return;
                        if (failed) return self->close();
                        self->begin_body();
                      });
    return;
  }
  begin_body();
}

void Session::begin_body() {
  arm(owner_.options.body_timeout_s);
  parser_->eager(true);
  read_body();
}

// Piece by piece, each charged when it is there: what a client only announces keeps nobody out.
void Session::read_body() {
  if (parser_->is_done()) return on_body({});
  http::async_read_some(socket_, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, size_t) {
    if (error || self->state_ != State::kReading) return self->on_body(error);
    if (!self->charge(self->parser_->get().body().size()))
      return self->refuse(503, "too many large requests at once; try again later");
    self->read_body();
  });
}

bool Session::charge(uint64_t bytes) {
  if (bytes > charged_bytes_) owner_.buffered_bytes += bytes - std::exchange(charged_bytes_, bytes);
  return bytes <= HttpServer::kSmallBody || owner_.buffered_bytes <= owner_.options.max_buffered_bytes;
}

void Session::on_body(ErrorCode error) {
  if (state_ != State::kReading) return;
  if (error == http::error::body_limit)
    return refuse(413,
                  fmt::format("the body is larger than {} bytes, the limit", owner_.options.max_body_bytes));
  if (connection_ended(error)) return close();
  if (error) {
    ++owner_.malformed;
    return refuse(400, "the body cannot be read: " + error.message());
  }
  request_.body = std::move(parser_->get().body());
  parser_.reset();
  dispatch();
}

// The server's own answer; the connection ends after it, for what follows on it was not read.
void Session::refuse(int status, const std::string& message) {
  refuse({.status = status, .body = owner_.error_body(status, message)});
}

void Session::refuse(const HttpResponse& response) {
  set_busy(true);
  const bool unread = !parser_ || !parser_->is_done();
  if (unread) keep_alive_ = false;
  state_ = State::kAnswering;
  send(turn_, response);
}

// ---- answering

void Session::dispatch() {
  state_ = State::kAnswering;
  disarm();
  reply_ =
      std::make_shared<Reply>(weak_from_this(), owner_.shared_io, turn_, owner_.options.max_pending_bytes);
  watch();
  owner_.handler(std::move(request_), reply_);
}

// While an answer is made, an end of the stream means that nobody waits for it any more.
void Session::watch() {
  if (watching_) return;
  watching_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](ErrorCode error) { self->on_readable(error); });
}

void Session::on_readable(ErrorCode error) {
  watching_ = false;
  if (state_ != State::kAnswering) return;
  if (error) return close();
  // Whether the client is still there can only be seen while what it sends is read.
  if (buffer_.size() >= kReadAhead) {
    ++owner_.malformed;
    return close();
  }
  ErrorCode failed;
  socket_.non_blocking(true, failed);
  const size_t got = socket_.read_some(buffer_.prepare(4096), failed);
  if (failed == asio::error::would_block) return watch();
  if (failed) return close();
  buffer_.commit(got);
  watch();
}

std::string Session::head_text(const HttpResponse& response, bool chunked) const {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  if (!response.content_type.empty()) head += fmt::format("Content-Type: {}\r\n", response.content_type);
  for (const auto* headers : {&response_headers_, &response.headers}) {
    for (const auto& [name, value] : *headers) {
      const bool plain =
          std::none_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
      if (plain) head += fmt::format("{}: {}\r\n", name, value);
    }
  }
  head += "X-Content-Type-Options: nosniff\r\n";
  if (!keep_alive_) head += "Connection: close\r\n";
  head += chunked ? std::string("Transfer-Encoding: chunked\r\n\r\n")
                  : fmt::format("Content-Length: {}\r\n\r\n", response.body.size());
  return head;
}

void Session::send(uint64_t turn, const HttpResponse& response) {
  if (!answers(turn) || ended_ || chunked_) return;
  if (owner_.draining) keep_alive_ = false;
  std::string bytes = head_text(response, false);
  if (!head_only_) bytes += response.body;
  ended_ = true;
  queue(std::move(bytes));
}

void Session::begin(uint64_t turn, const HttpResponse& head) {
  if (!answers(turn) || ended_ || chunked_) return;
  if (owner_.draining) keep_alive_ = false;
  chunked_ = true;
  queue(head_text(head, true));
}

void Session::write(uint64_t turn, std::string piece) {
  if (!answers(turn) || ended_ || !chunked_ || piece.empty()) return;
  queue(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
}

void Session::end(uint64_t turn) {
  if (!answers(turn) || ended_ || !chunked_) return;
  ended_ = true;
  queue("0\r\n\r\n");
}

void Session::queue(std::string bytes) {
  out_.push_back(std::move(bytes));
  if (!writing_) write_next();
}

void Session::write_next() {
  writing_ = true;
  arm(owner_.options.write_timeout_s);
  socket_.async_write_some(
      asio::buffer(out_.front().data() + out_offset_, out_.front().size() - out_offset_),
      [self = shared_from_this()](ErrorCode error, size_t size) { self->on_written(error, size); });
}

void Session::on_written(ErrorCode error, size_t size) {
  writing_ = false;
  if (state_ == State::kClosed) return;
  if (error) return close();
  out_offset_ += size;
  if (reply_) {
    const size_t pending = reply_->pending.load();
    reply_->pending.fetch_sub(std::min(pending, size));
  }
  if (out_offset_ == out_.front().size()) {
    out_.pop_front();
    out_offset_ = 0;
  }
  if (!out_.empty()) return write_next();
  disarm();
  if (ended_) finished();
}

void Session::finished() {
  if (reply_) reply_->over(/*whole=*/true);
  reply_.reset();
  owner_.buffered_bytes -= std::exchange(charged_bytes_, 0);
  if (!keep_alive_) return linger();
  read_head();
}

// The rest of a request that was not read is taken in and dropped for a while: closing at once would make the
// client's system throw away the answer.
void Session::linger() {
  state_ = State::kLingering;
  ErrorCode ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  arm(kLingerSeconds);
  drain_input();
}

void Session::drain_input() {
  socket_.async_read_some(asio::buffer(scrap_), [self = shared_from_this()](ErrorCode error, size_t size) {
    self->drained_ += static_cast<int64_t>(size);
    if (error || self->drained_ > kLingerBytes || self->state_ != State::kLingering) return self->close();
    self->drain_input();
  });
}

void Session::close_if_idle() {
  if (state_ == State::kIdle) close();
}

void Session::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  set_busy(false);
  owner_.buffered_bytes -= std::exchange(charged_bytes_, 0);
  ErrorCode ignored;
  socket_.close(ignored);
  timer_.cancel(ignored);
  if (reply_) reply_->over(/*whole=*/false);
  reply_.reset();
  owner_.gone(this);
}

void Session::set_busy(bool busy) {
  if (busy == busy_) return;
  busy_ = busy;
  busy ? ++owner_.busy : --owner_.busy;
}

}  // namespace vl3::serve
