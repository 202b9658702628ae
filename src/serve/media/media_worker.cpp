#include "serve/media/media_worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "core/check.h"
#include "core/log.h"
#include "serve/media/worker_job.h"

extern char** environ;

namespace vl3::serve {

/// One medium in one child.
class WorkerJob {
 private:
  Json answer() {
    const Json json =
        parse_json(channel_->receive(64 << 20, worker_->options_.timeout_s), "the decoder's answer");
    if (json.contains("error")) {
      refused_ = true;  // the medium's fault, not the child's
      throw Error(static_cast<ErrorCode>(json.at("code").get<int>()), json.at("error").get<std::string>());
    }
    return json;
  }

  Json ask() {
    const double timeout = worker_->options_.timeout_s;
    channel_ = worker_->connect(&helper_);
    channel_->send(request_, timeout);
    send_content(timeout);
    return answer();
  }

  // What lies in ordinary memory goes back to back into one file, which is the child's alone then: a list of
  // pictures takes one descriptor here, not one a picture.
  void send_content(double timeout) {
    std::vector<int> fds;
    std::optional<MemoryFile> pack;
    for (const auto& blob : blobs_) {
      if (blob->fd() >= 0) {
        fds.push_back(blob->fd());
        continue;
      }
      if (!pack) pack.emplace(name());
      pack->append(blob->bytes());
    }
    if (pack) fds.push_back(pack->fd());
    channel_->send_fds(fds, timeout);
  }

  void open() { channel_->send(R"({"do":"open"})", worker_->options_.timeout_s); }

  void reopen() {
    (void)ask();
    open();
  }

  /// `again` where `action` failed because the helper is gone, and its children with it.
  template <typename Action, typename Again>
  auto once_more(const Action& action, const Again& again) {
    try {
      return action();
    } catch (const Error&) {
      if (refused_ || !worker_->is_gone(helper_)) throw;
    }
    return again();
  }

  template <typename Action>
  auto guarded(const Action& action) {
    refused_ = false;
    try {
      return action();
    } catch (const Error& error) {
      channel_.reset();
      if (refused_) throw;
      worker_->failed(error, name());
    }
  }

 public:
  WorkerJob(std::shared_ptr<MediaWorker> worker, std::string request,
            std::vector<std::shared_ptr<const Blob>> blobs)
      : worker_(std::move(worker)), request_(std::move(request)), blobs_(std::move(blobs)) {}

  std::string name() const { return blobs_.size() == 1 ? blobs_.front()->name() : "the pictures of a video"; }

  /// Starts the child and gives its description. A helper that was killed meanwhile costs no medium its
  /// answer: the next one is asked, once.
  Json probe() {
    return guarded([&] { return once_more([&] { return ask(); }, [&] { return ask(); }); });
  }

  /// Forgets the child until it is needed, where too many wait.
  void rest() {
    if (worker_->waiting_.fetch_add(1) >= worker_->options_.max_waiting) {
      --worker_->waiting_;
      channel_.reset();
    } else {
      counted_ = true;
    }
  }

  void begin() {
    if (counted_) --worker_->waiting_;
    counted_ = false;
    if (channel_ == nullptr || started_) probe();
    started_ = true;
    waiting_for_first_ = true;
    guarded([&] { once_more([&] { open(); }, [&] { reopen(); }); });
  }

  std::optional<media::Frame> next(media::Warnings& warnings) {
    return guarded([&]() -> std::optional<media::Frame> {
      const bool first = std::exchange(waiting_for_first_, false);
      const auto again = [&] {
        reopen();
        return answer();
      };
      const Json head = first ? once_more([&] { return answer(); }, again) : answer();
      for (const auto& warning : head.value("warnings", std::vector<std::string>())) warnings.add(warning);
      if (head.value("end", false)) {
        channel_.reset();
        return std::nullopt;
      }
      media::Frame frame;
      frame.height = head.at("height").get<int>();
      frame.width = head.at("width").get<int>();
      frame.pts_s = head.at("pts_s").get<double>();
      VL3_CHECK(frame.height > 0 && frame.width > 0 && frame.height <= 65'535 && frame.width <= 65'535,
                kCorrupt, "the decoder sent a picture of {}x{}", frame.width, frame.height);
      const uint64_t bytes = static_cast<uint64_t>(frame.height) * static_cast<uint64_t>(frame.width) * 3;
      const std::string rgb = channel_->receive(bytes, worker_->options_.timeout_s);
      VL3_CHECK(rgb.size() == bytes, kCorrupt, "the decoder sent {} bytes of a picture of {}", rgb.size(),
                bytes);
      frame.rgb.assign(rgb.begin(), rgb.end());
      return frame;
    });
  }

  ~WorkerJob() {
    if (counted_) --worker_->waiting_;
  }

 private:
  std::shared_ptr<MediaWorker> worker_;
  std::string request_;
  std::vector<std::shared_ptr<const Blob>> blobs_;
  std::unique_ptr<WorkerChannel> channel_;
  uint64_t helper_ = 0;  // the channel's child is one of its children
  bool started_ = false, counted_ = false, refused_ = false, waiting_for_first_ = false;
};

std::shared_ptr<MediaWorker> MediaWorker::start(MediaWorkerOptions options) {
  std::shared_ptr<MediaWorker> worker(new MediaWorker(std::move(options)));
  worker->spawn();
  return worker;
}

MediaWorker::~MediaWorker() {
  if (control_ >= 0) ::close(control_);  // the helper ends with its children
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

void MediaWorker::spawn() {
  int ends[2];
  VL3_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, kResourceExhausted,
            "no socket for the decoder: {}", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // Ctrl-C at the terminal is the server's: it still wants its running media decoded.
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  const std::string memory = std::to_string(options_.max_memory_bytes);
  char* arguments[] = {options_.program.data(), const_cast<char*>(memory.c_str()), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, options_.program.c_str(), &actions, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (error != 0) ::close(ends[0]);
  VL3_CHECK(error == 0, kNotFound, "{}: cannot be started: {}", options_.program, std::strerror(error));
  control_ = ends[0];
  pid_ = pid;
  ++helper_;
}

bool MediaWorker::is_gone(uint64_t helper) {
  // A killed process closes its sockets in any order: a channel's end may be seen before the control's.
  constexpr int kLooks = 20;
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::lock_guard lock(mutex_);
    if (helper != helper_ || control_ < 0) return true;  // somebody else noticed
    pollfd end{control_, 0, 0};
    if (::poll(&end, 1, 0) <= 0) continue;
    ::close(std::exchange(control_, -1));
    if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    return true;
  }
  return false;
}

std::unique_ptr<WorkerChannel> MediaWorker::connect(uint64_t* helper) {
  int ends[2];
  VL3_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, kResourceExhausted,
            "no socket for the decoder: {}", std::strerror(errno));
  auto channel = std::make_unique<WorkerChannel>(ends[0]);
  const std::lock_guard lock(mutex_);
  ++jobs_;
  bool sent = control_ >= 0 && send_descriptor(control_, ends[1]);
  if (!sent) {  // the helper was killed: a new one
    if (control_ >= 0) ::close(std::exchange(control_, -1));
    if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    ++restarts_;
    logger().warn("the decoding worker was gone and is started again");
    spawn();
    sent = send_descriptor(control_, ends[1]);
  }
  ::close(ends[1]);
  *helper = helper_;
  VL3_CHECK(sent, kInternal, "the decoder does not take work");
  return channel;
}

void MediaWorker::failed(const Error& error, const std::string& name) {
  const bool hung = error.code() == ErrorCode::kResourceExhausted;
  ++(hung ? timeouts_ : crashes_);
  logger().warn("{}: {}", name, error.what());
  throw error.with_context("decoding " + name);
}

namespace {

std::vector<WorkerContent> contents_of(const std::vector<std::shared_ptr<const Blob>>& blobs) {
  std::vector<WorkerContent> contents;
  for (const auto& blob : blobs) {
    contents.push_back({.name = blob->name(), .packed = {}});
    // A pack of one is that medium's own file.
    if (blob->fd() < 0 && blobs.size() > 1) contents.back().packed = blob->size();
  }
  return contents;
}

}  // namespace

MediaWorker::Stats MediaWorker::stats() const {
  return {
      .jobs = jobs_, .crashes = crashes_, .timeouts = timeouts_, .restarts = restarts_, .waiting = waiting_};
}

preprocess::MediaEntry MediaWorker::describe(text::ContentPart& part,
                                             const std::vector<std::shared_ptr<const Blob>>& blobs,
                                             const weights::PreprocessConfig& config,
                                             const media::MediaLimits& limits) {
  auto job = std::make_shared<WorkerJob>(
      shared_from_this(), worker_request(part, contents_of(blobs), config, limits).dump(), blobs);
  preprocess::MediaEntry entry = entry_from_json(job->probe(), part);
  job->rest();
  for (const auto& blob : blobs) entry.key += blob->identity() + ";";
  if (entry.shape.kind == preprocess::MediaKind::kVideo && blobs.size() == 1) {
    for (const int64_t index : entry.source_index) entry.key += fmt::format(",{}", index);
  }
  entry.open = [job, warnings = entry.warnings]() -> media::FrameSource {
    job->begin();
    return [job, warnings] { return job->next(*warnings); };
  };
  return entry;
}

}  // namespace vl3::serve
