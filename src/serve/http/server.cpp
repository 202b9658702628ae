#include "serve/http/server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <unordered_set>

#include "core/check.h"
#include "core/log.h"
#include "serve/http/session.h"

namespace vl3::serve {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

std::string HttpRequest::header(const std::string& lower_case_name) const {
  const auto it = headers.find(lower_case_name);
  return it == headers.end() ? "" : it->second;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

bool is_loopback(const std::string& host) {
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  return host == "localhost" || (!error && address.is_loopback());
}

class HttpServer::Impl : public SessionOwner {
 public:
  Impl(HttpServerOptions server_options, Gate gate_function, Handler handler_function,
       ErrorBody error_body_function)
      : SessionOwner(std::move(server_options), std::move(gate_function), std::move(handler_function),
                     std::move(error_body_function)),
        acceptor_(io),
        retry_(io) {
    boost::system::error_code error;
    const asio::ip::address address =
        asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
    VL3_CHECK(!error, kInvalidArgument, "--host {}: expected an IP address of this machine", options.host);
    const Tcp::endpoint endpoint(address, options.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(4096, error);
    VL3_CHECK(!error, kInvalidArgument, "{}:{} cannot be listened on: {}", options.host, options.port,
              error.message());
    port_ = acceptor_.local_endpoint().port();
    accept();
    thread_ = std::thread([this] { io.run(); });
  }

  ~Impl() override { stop(); }

  void drain() {
    asio::post(io, [this] {
      draining = true;
      const auto sessions = sessions_;  // closing takes them out
      for (const auto& session : sessions) session->close_if_idle();
    });
  }

  void stop() {
    if (!thread_.joinable()) return;
    asio::post(io, [this] {
      draining = true;
      boost::system::error_code ignored;
      acceptor_.close(ignored);
      retry_.cancel();
      const auto sessions = sessions_;
      for (const auto& session : sessions) session->close();
      work_.reset();
    });
    thread_.join();
  }

  uint16_t port() const { return port_; }

  void gone(Session* session) override {
    sessions_.erase(session->shared_from_this());
    connections = sessions_.size();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, Tcp::socket socket) {
      if (!acceptor_.is_open()) return;
      if (error) {  // out of descriptors: the pending connection stays, so wait a little
        logger().warn("accept: {}", error.message());
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this](boost::system::error_code cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      take(std::move(socket));
      accept();
    });
  }

  void take(Tcp::socket socket) {
    if (sessions_.size() >= options.max_connections) {
      ++refused;
      return;  // the socket closes
    }
    ++accepted;
    boost::system::error_code ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    auto session = std::make_shared<Session>(std::move(socket), *this);
    sessions_.insert(session);
    connections = sessions_.size();
    session->start();
  }

  Tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{asio::make_work_guard(io)};
  std::unordered_set<std::shared_ptr<Session>> sessions_;
  uint16_t port_ = 0;
  std::thread thread_;
};

HttpServer::HttpServer(HttpServerOptions options, Gate gate, Handler handler, ErrorBody error_body)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(gate), std::move(handler),
                                   std::move(error_body))) {}
HttpServer::~HttpServer() = default;
uint16_t HttpServer::port() const { return impl_->port(); }
void HttpServer::drain() { impl_->drain(); }
void HttpServer::stop() { impl_->stop(); }
size_t HttpServer::busy() const { return impl_->busy; }

HttpServerStats HttpServer::stats() const {
  return {.connections = impl_->connections,
          .accepted = impl_->accepted,
          .refused = impl_->refused,
          .timed_out = impl_->timed_out,
          .malformed = impl_->malformed,
          .slow_readers = impl_->slow_readers};
}

}  // namespace vl3::serve
