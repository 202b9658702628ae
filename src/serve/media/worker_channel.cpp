#include "serve/media/worker_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/check.h"

namespace vl3::serve {
namespace {

constexpr size_t kFdsAtOnce = 64;

// `count` descriptors with one byte; 0 at the end of the stream, -1 on an error.
ssize_t send_some(int socket, const int* fds, size_t count) {
  char byte = 'd';
  iovec part{&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kFdsAtOnce)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  ssize_t sent;
  do sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent;
}

std::vector<int> receive_some(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kFdsAtOnce)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  ssize_t got;
  do got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  std::vector<int> fds;
  if (got <= 0) return fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    fds.resize(fds.size() + count);
    std::memcpy(fds.data() + fds.size() - count, CMSG_DATA(header), count * sizeof(int));
  }
  return fds;
}

}  // namespace

WorkerChannel::~WorkerChannel() { ::close(fd_); }

void WorkerChannel::wait(short events, double timeout_s) const {
  pollfd ready{fd_, events, 0};
  int state;
  do state = ::poll(&ready, 1, timeout_s > 1e6 ? -1 : static_cast<int>(timeout_s * 1000));
  while (state < 0 && errno == EINTR);
  VL3_CHECK(state != 0, kResourceExhausted, "decoding made no progress for {} s", timeout_s);
}

void WorkerChannel::send(std::string_view message, double timeout_s) {
  const uint64_t size = message.size();
  std::string head(sizeof size, '\0');
  std::memcpy(head.data(), &size, sizeof size);
  for (std::string_view piece : {std::string_view(head), message}) {
    while (!piece.empty()) {
      wait(POLLOUT, timeout_s);
      const ssize_t put = ::send(fd_, piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      VL3_CHECK(put > 0, kCorrupt, "the decoder is gone");
      piece.remove_prefix(static_cast<size_t>(put));
    }
  }
}

void WorkerChannel::read_all(char* data, size_t size, double timeout_s) {
  while (size > 0) {
    wait(POLLIN, timeout_s);
    const ssize_t got = ::recv(fd_, data, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    VL3_CHECK(got > 0, kCorrupt, "the decoder crashed or was ended");
    data += got;
    size -= static_cast<size_t>(got);
  }
}

std::string WorkerChannel::receive(uint64_t max_bytes, double timeout_s) {
  uint64_t size = 0;
  read_all(reinterpret_cast<char*>(&size), sizeof size, timeout_s);
  VL3_CHECK(size <= max_bytes, kCorrupt, "the decoder sent {} bytes where at most {} are expected", size,
            max_bytes);
  std::string message(size, '\0');
  read_all(message.data(), message.size(), timeout_s);
  return message;
}

void WorkerChannel::send_fds(std::span<const int> fds, double timeout_s) {
  for (size_t i = 0; i < fds.size(); i += kFdsAtOnce) {
    wait(POLLOUT, timeout_s);
    VL3_CHECK(send_some(fd_, fds.data() + i, std::min(kFdsAtOnce, fds.size() - i)) == 1, kCorrupt,
              "the decoder is gone");
  }
}

std::vector<int> WorkerChannel::receive_fds(size_t count, double timeout_s) {
  std::vector<int> fds;
  while (fds.size() < count) {
    wait(POLLIN, timeout_s);
    const std::vector<int> some = receive_some(fd_);
    VL3_CHECK(!some.empty(), kCorrupt, "{} of {} descriptors came", fds.size(), count);
    fds.insert(fds.end(), some.begin(), some.end());
  }
  return fds;
}

bool send_descriptor(int socket, int fd) { return send_some(socket, &fd, 1) == 1; }

int receive_descriptor(int socket) {
  const std::vector<int> fds = receive_some(socket);
  return fds.empty() ? -1 : fds.front();
}

}  // namespace vl3::serve
