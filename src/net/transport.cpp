#include "net/transport.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "net/fetch.h"

namespace vl3::net {
namespace {

constexpr double kConnectTurn_s = 10;

[[noreturn]] void fail_io(const char* what, int error) {
  throw FetchError(ErrorCode::kCorrupt, fmt::format("{} failed: {}", what, std::strerror(error)), 0, true);
}

class PlainTransport : public Transport {
 public:
  explicit PlainTransport(std::unique_ptr<Socket> socket) : socket_(std::move(socket)) {}

  size_t read(char* data, size_t size, const Deadline& deadline) override {
    for (;;) {
      const ssize_t got = ::recv(socket_->fd(), data, size, 0);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) fail_io("reading", errno);
      wait_ready(socket_->fd(), POLLIN, deadline);
    }
  }

  void write(const char* data, size_t size, const Deadline& deadline) override {
    while (size > 0) {
      const ssize_t put = ::send(socket_->fd(), data, size, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK) fail_io("sending the request", errno);
      if (put < 0) {
        wait_ready(socket_->fd(), POLLOUT, deadline);
        continue;
      }
      data += put;
      size -= static_cast<size_t>(put);
    }
  }

 private:
  std::unique_ptr<Socket> socket_;
};

/// One attempt; nullptr and `why` when refused or unreachable.
std::unique_ptr<Socket> try_connect(const Address& address, const Deadline& deadline, std::string* why) {
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    *why = std::strerror(errno);
    return nullptr;
  }
  auto socket = std::make_unique<Socket>(fd);
  int error = 0;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) error = errno;
  if (error == EINPROGRESS || error == EINTR) {
    pollfd item{fd, POLLOUT, 0};
    while (::poll(&item, 1, deadline.poll_ms()) <= 0 && !deadline.passed() && !deadline.cancelled()) {
    }
    socklen_t length = sizeof error;
    if (item.revents == 0) {
      error = ETIMEDOUT;
    } else if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
      error = errno;
    }
  }
  if (error == 0) return socket;
  *why = std::strerror(error);
  return nullptr;
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

void wait_ready(int fd, short events, const Deadline& deadline) {
  for (;;) {
    pollfd item{fd, events, 0};
    const int ready = ::poll(&item, 1, deadline.poll_ms());
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) fail_io("waiting", errno);
    if (deadline.cancelled()) throw FetchError(ErrorCode::kCancelled, "stopped", 0, false);
    if (deadline.passed()) {
      throw FetchError(ErrorCode::kResourceExhausted, "no answer within the time limit", 0, true);
    }
  }
}

std::unique_ptr<Socket> connect_tcp(const Url& url, const std::vector<Address>& addresses,
                                    const Deadline& deadline) {
  std::string why = "no address";
  for (const Address& address : addresses) {
    // A silent first address (often IPv6 behind a broken router) must not use up the time of the others.
    const Deadline turn =
        &address == &addresses.back() ? deadline : deadline.earlier(Deadline::in(kConnectTurn_s));
    if (auto socket = try_connect(address, turn, &why)) return socket;
  }
  const bool late = deadline.passed();
  throw FetchError(late ? ErrorCode::kResourceExhausted : ErrorCode::kUnsupported,
                   late ? fmt::format("{} does not answer within the time limit", url.authority())
                        : fmt::format("cannot connect to {}: {}", url.authority(), why),
                   0, true);
}

std::unique_ptr<Transport> plain_transport(std::unique_ptr<Socket> socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

}  // namespace vl3::net
