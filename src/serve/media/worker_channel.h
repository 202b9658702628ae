// Messages and descriptors between the server and its decoding worker, over Unix sockets.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace vl3::serve {

/// One end of a stream socket. Owns it. One thread at a time.
class WorkerChannel {
 public:
  explicit WorkerChannel(int fd) : fd_(fd) {}
  ~WorkerChannel();
  WorkerChannel(const WorkerChannel&) = delete;
  WorkerChannel& operator=(const WorkerChannel&) = delete;
  int fd() const { return fd_; }

  /// @throws Error(kCorrupt) when the other end is gone; Error(kResourceExhausted) after timeout_s without a
  /// byte.
  void send(std::string_view message, double timeout_s);
  std::string receive(uint64_t max_bytes, double timeout_s);
  void send_fds(std::span<const int> fds, double timeout_s);
  std::vector<int> receive_fds(size_t count, double timeout_s);

 private:
  void wait(short events, double timeout_s) const;
  void read_all(char* data, size_t size, double timeout_s);

  int fd_;
};

/// Passes one descriptor over a datagram-like socket, and takes one; false and -1 when the other end is gone.
bool send_descriptor(int socket, int fd);
int receive_descriptor(int socket);

}  // namespace vl3::serve
