// vl3-media-worker: forks a child for each medium that the server wants decoded. Small on purpose: no model,
// no network, nothing but media code, so that forking is quick and a crash takes nothing along.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <thread>

#include "serve/media/worker_channel.h"
#include "serve/media/worker_job.h"

namespace {

constexpr int kControl = 3;

void set_limit(int resource, rlim_t value) {
  const rlimit limit{value, value};
  (void)::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

[[noreturn]] void run_child(int fd, [[maybe_unused]] rlim_t memory) {
  ::close(kControl);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGCHLD, SIG_DFL);
  set_limit(RLIMIT_CORE, 0);
#ifndef __SANITIZE_ADDRESS__  // whose shadow memory is address space, too
  set_limit(RLIMIT_AS, memory);
#endif
  set_limit(RLIMIT_FSIZE, 0);
  // When the server closes its end nobody wants the result: even a hung decoder ends then.
  std::thread([fd] {
    pollfd end{fd, POLLRDHUP, 0};
    while (::poll(&end, 1, -1) < 0) {
    }
    ::_exit(0);
  }).detach();
  try {
    vl3::serve::serve_worker_job(fd);
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  const rlim_t memory = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4ull << 30;
  ::signal(SIGCHLD, SIG_IGN);  // children are not waited for
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // the file-size limit below must not end a child that warns on stderr
  ::fcntl(kControl, F_SETFD, FD_CLOEXEC);
  while (true) {
    const int fd = vl3::serve::receive_descriptor(kControl);
    if (fd < 0) return 0;
    const pid_t child = ::fork();
    if (child == 0) run_child(fd, memory);
    ::close(fd);
  }
}
