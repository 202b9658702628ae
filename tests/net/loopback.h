// Servers on 127.0.0.1 for tests: an httplib one, and a raw one that says on the wire whatever a test wants.
#pragma once

#include <arpa/inet.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "core/check.h"
#include "net/fetch.h"

namespace vl3::test {

/// httplib's servers give a client 5 s; a busy machine may need more.
inline void be_patient(httplib::Server& server) {
  server.set_read_timeout(60);
  server.set_write_timeout(60);
  server.set_keep_alive_timeout(60);
}

/// Fill in handlers on `http`, then start(). Stops when destroyed.
class LoopbackServer {
 public:
  httplib::Server http;

  ~LoopbackServer() {
    http.stop();
    if (thread_.joinable()) thread_.join();
  }
  void start() {
    be_patient(http);
    port_ = http.bind_to_any_port("127.0.0.1");
    VL3_CHECK(port_ > 0, kInternal, "no port");
    thread_ = std::thread([this] { http.listen_after_bind(); });
    while (!http.is_running()) std::this_thread::yield();
  }
  int port() const { return port_; }
  std::string url(const std::string& path = "", const std::string& host = "127.0.0.1") const {
    return fmt::format("http://{}:{}{}", host, port_, path);
  }

 private:
  int port_ = 0;
  std::thread thread_;
};

/// Accepts connections one after the other, reads the request's head and hands the socket to `talk`.
class RawServer {
 public:
  using Talk = std::function<void(int fd, const RawServer& self)>;

  explicit RawServer(Talk talk) : talk_(std::move(talk)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    VL3_CHECK(::bind(listener_, generic, length) == 0 && ::listen(listener_, 16) == 0 &&
                  ::getsockname(listener_, generic, &length) == 0,
              kInternal, "no listener");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~RawServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url(const std::string& path = "/") const {
    return fmt::format("http://127.0.0.1:{}{}", port_, path);
  }
  int port() const { return port_; }
  int connections() const { return connections_; }
  bool stopping() const { return stopping_; }

  /// False once the client is gone.
  static bool say(int fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t put = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      text.remove_prefix(static_cast<size_t>(put));
    }
    return true;
  }

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      ++connections_;
      std::string head;
      char c = 0;
      while (head.find("\r\n\r\n") == std::string::npos && ::recv(fd, &c, 1, 0) == 1) head += c;
      talk_(fd, *this);
      ::close(fd);
      if (stopping_) return;
    }
  }

  Talk talk_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// Options a test of loopback needs: private addresses allowed, short times.
inline net::FetchOptions loopback_options() {
  net::FetchOptions options;
  options.allow_private_addresses = true;
  options.timeout_s = 120;
  options.idle_timeout_s = 60;
  return options;
}

}  // namespace vl3::test
