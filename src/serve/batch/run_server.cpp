#include "serve/batch/run_server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>

#include "core/json.h"
#include "core/log.h"

namespace vl3::serve {
namespace {

// Ten thousand connections need as many descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// Blocked in every thread that is made from now on; whoever wants one waits for it.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  void wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
  }
  /// Whether another one came within `seconds`.
  bool wait_for(double seconds) const {
    const timespec time{static_cast<time_t>(seconds),
                        static_cast<long>((seconds - static_cast<time_t>(seconds)) * 1e9)};
    return sigtimedwait(&set_, nullptr, &time) > 0;
  }

 private:
  sigset_t set_{}, before_{};
};

}  // namespace

void run_server(std::shared_ptr<const engine::Runtime> runtime, ServeOptions options,
                const std::function<void(uint16_t)>& ready) {
  const StopSignals signals;
  raise_descriptor_limit();
  const weights::PreprocessConfig preprocess = runtime->config.preprocess;
  std::shared_ptr<MediaWorker> worker = MediaWorker::start(std::move(options.worker));
  MediaResolver media(std::move(options.media));
  BatchEngine engine(std::move(runtime), std::move(options.batch));
  options.app.limits.vocab_size = engine.model().vocab_size;
  options.app.limits.max_tokens = std::min(options.app.limits.max_tokens, engine.model().max_model_len);
  App app(std::move(options.app), engine, media, std::move(worker), preprocess);
  HttpServer server(
      std::move(options.http), [&](HttpRequest& head) { return app.gate(head); },
      [&](HttpRequest request, std::shared_ptr<Responder> responder) {
        app.handle(std::move(request), std::move(responder));
      },
      [&](int status, const std::string& message) {
        app.count_refusal(status);
        return App::error_body(status, message);
      });
  app.set_http_stats([&] { return server.stats(); });
  ready(server.port());

  signals.wait();
  logger().info("{}", OrderedJson{{"event", "drain"}, {"running", server.busy()}}.dump());
  app.set_draining();
  server.drain();
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(options.shutdown_timeout_s);
  while (server.busy() > 0 && std::chrono::steady_clock::now() < deadline) {
    if (signals.wait_for(0.1)) break;
  }
  server.stop();
  app.stop();
  logger().info("{}", OrderedJson{{"event", "end"}}.dump());
}

}  // namespace vl3::serve
