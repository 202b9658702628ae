// A TCP client that says on the wire whatever a test wants.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "core/check.h"

namespace vl3::test {

class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    VL3_CHECK(::connect(fd_, generic, sizeof address) == 0, kInternal, "cannot connect");
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t put = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      text.remove_prefix(static_cast<size_t>(put));
    }
    return true;
  }
  /// Reads until `end` has come, the other side closed, or nothing came for `seconds`.
  std::string read_until(std::string_view end, double seconds = 10) const {
    std::string got;
    char buffer[4096];
    while (end.empty() || got.find(end) == std::string::npos) {
      pollfd ready{fd_, POLLIN, 0};
      if (::poll(&ready, 1, static_cast<int>(seconds * 1000)) <= 0) break;
      const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
      if (size <= 0) break;
      got.append(buffer, static_cast<size_t>(size));
    }
    return got;
  }
  std::string read_all(double seconds = 10) const { return read_until("", seconds); }
  /// Whether the other side closes within `seconds`.
  bool closes(double seconds = 10) const {
    char byte;
    pollfd ready{fd_, POLLIN, 0};
    while (::poll(&ready, 1, static_cast<int>(seconds * 1000)) > 0) {
      if (::recv(fd_, &byte, 1, 0) <= 0) return true;
    }
    return false;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace vl3::test
