#include "cli/run_vl3.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/check.h"

namespace vl3::test {
namespace {

// Files in memory instead of pipes: whatever the program writes or leaves unread, nobody blocks.
class Stream {
 public:
  explicit Stream(const std::string& bytes = "") : fd_(::memfd_create("vl3-test", MFD_CLOEXEC)) {
    VL3_CHECK(fd_ >= 0 && ::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
              kInternal, "no file in memory can be made: {}", std::strerror(errno));
  }
  ~Stream() { ::close(fd_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int fd() const { return fd_; }
  std::string content() const {
    std::string text(static_cast<size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
    VL3_CHECK(::pread(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()), kInternal,
              "short read");
    return text;
  }

 private:
  int fd_;
};

std::vector<std::string> environment_of(const std::map<std::string, std::string>& added) {
  // One thread: several would only wait for each other on models of this size.
  std::map<std::string, std::string> all{{"OMP_NUM_THREADS", "1"}, {"NO_COLOR", "1"}};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string::npos || text.starts_with("VL3_") || text.starts_with("HF_")) continue;
    all.try_emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const auto& [key, value] : added) all[key] = value;
  std::vector<std::string> result;
  for (const auto& [key, value] : all) result.push_back(key + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

double allowed_seconds(const RunOptions& options) {
  const char* set = std::getenv("VL3_CLI_TIMEOUT_S");
  return set != nullptr && std::atof(set) > 0 ? std::atof(set) : options.timeout_s;
}

}  // namespace

RunResult run_vl3(const std::vector<std::string>& arguments, const RunOptions& options) {
  std::vector<std::string> words{VL3_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = environment_of(options.environment);
  const std::vector<char*> argv = pointers(words), envp = pointers(environment);
  const Stream in(options.stdin_bytes), out, err;

  const pid_t child = ::fork();
  VL3_CHECK(child >= 0, kInternal, "fork failed");
  if (child == 0) {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    int waits[2], unread[2];
    if (::pipe2(waits, O_CLOEXEC) != 0 || ::pipe2(unread, O_CLOEXEC) != 0) ::_exit(127);
    if (options.stdin_waits) ::fcntl(waits[1], F_SETFD, 0);  // the child's own end keeps it open
    ::dup2(options.stdin_waits ? waits[0] : in.fd(), 0);
    ::dup2(out.fd(), 1);
    if (options.stdout_to == "pipe") {
      ::dup2(unread[1], 1);
    } else if (options.stdout_to == "closed") {
      ::close(1);
    } else if (!options.stdout_to.empty()) {
      ::dup2(::open(options.stdout_to.c_str(), O_WRONLY | O_CLOEXEC), 1);
    }
    ::dup2(err.fd(), 2);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  RunResult result;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(allowed_seconds(options));
  int state = 0;
  bool interrupted = !options.interrupt_when;
  while (::waitpid(child, &state, WNOHANG) == 0) {
    if (!interrupted && options.interrupt_when()) {
      ::kill(child, options.signal);
      interrupted = true;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      result.timed_out = true;
      ::kill(child, SIGKILL);
      ::waitpid(child, &state, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (WIFEXITED(state)) result.status = WEXITSTATUS(state);
  if (WIFSIGNALED(state)) result.signal = WTERMSIG(state);
  VL3_CHECK(result.status != 127, kInternal, "{} cannot be started", VL3_BINARY);
  result.out = out.content();
  result.err = err.content();
  return result;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string command_text(const std::vector<std::string>& arguments) {
  std::string text = "vl3";
  for (const std::string& word : arguments) {
    const bool plain = !word.empty() && word.find_first_of(" '\"\n$\\") == std::string::npos;
    text += plain ? " " + word : " '" + word + "'";
  }
  return text.size() > 2000 ? text.substr(0, 2000) + "…" : text;
}

}  // namespace vl3::test
