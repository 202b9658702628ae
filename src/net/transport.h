// A byte connection to one checked address, plain or TLS, in which every wait has a deadline.
#pragma once

#include <cstddef>
#include <memory>

#include "net/address.h"
#include "net/deadline.h"
#include "net/url.h"

namespace vl3::net {

class Transport {
 public:
  virtual ~Transport() = default;
  /// Up to `size` bytes; 0 at the end of the stream. @throws FetchError for a broken connection or a passed
  /// deadline.
  virtual size_t read(char* data, size_t size, const Deadline& deadline) = 0;
  /// All `size` bytes. @throws FetchError as read.
  virtual void write(const char* data, size_t size, const Deadline& deadline) = 0;
};

/// Owns a non-blocking socket.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// Waits for readiness (POLLIN or POLLOUT). @throws FetchError(kResourceExhausted) past the deadline.
void wait_ready(int fd, short events, const Deadline& deadline);

/// TCP connections to `addresses` in turn until one is made: exactly these, nothing is resolved again.
/// @throws FetchError(kUnsupported, retryable) naming the last failure, kResourceExhausted past the deadline.
std::unique_ptr<Socket> connect_tcp(const Url& url, const std::vector<Address>& addresses,
                                    const Deadline& deadline);

std::unique_ptr<Transport> plain_transport(std::unique_ptr<Socket> socket);

/// TLS 1.2 or newer; the certificate must chain to a system authority and name url.host.
/// @throws FetchError(kInvalidArgument) for a certificate that does not hold, kCorrupt for a failed
/// handshake.
std::unique_ptr<Transport> tls_transport(std::unique_ptr<Socket> socket, const Url& url,
                                         const Deadline& deadline);

}  // namespace vl3::net
