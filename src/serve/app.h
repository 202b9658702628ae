// The server's endpoints over a backend: who may call what, requests to jobs, events to responses. Knows no
// libtorch and no sockets.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <set>
#include <string>

#include "serve/gate.h"
#include "serve/http/server.h"
#include "serve/media/media_resolver.h"
#include "serve/media/media_worker.h"
#include "serve/metrics.h"
#include "serve/openai/chat_request.h"
#include "serve/queue/backend.h"

namespace vl3::serve {

class Exchange;

struct AppOptions {
  std::vector<std::string>
      served_model_names;  ///< the first is told; all are taken. Any model name is where empty
  GateOptions gate;
  RequestLimits limits;
  media::MediaLimits media_limits;
  AskOptions ask_defaults;  ///< of videos and pruning
  bool log_prompts = false;
  double request_timeout_s = 600;  ///< of a request as a whole
  double keep_alive_s = 15;        ///< between comments of a stream that says nothing
  size_t prepare_threads = 8;      ///< requests whose media are fetched and probed at once
  size_t max_preparing = 256;      ///< requests that wait for one of those, or to be parsed
};

class App {
 public:
  /// @param worker  null: media are decoded in this process.
  App(AppOptions options, Backend& backend, MediaResolver& media, std::shared_ptr<MediaWorker> worker,
      weights::PreprocessConfig preprocess);
  ~App();

  std::optional<HttpResponse> gate(HttpRequest& head);
  void handle(HttpRequest request, std::shared_ptr<Responder> responder);
  static std::string error_body(int status, const std::string& message);

  /// The HTTP server's figures for /metrics.
  void set_http_stats(std::function<HttpServerStats()> stats) { http_stats_ = std::move(stats); }
  /// A refusal that the HTTP server made by itself.
  void count_refusal(int status) { metrics_.responded(status); }
  void set_draining() { draining_ = true; }
  void stop();  ///< waits for the threads; the server must be stopped

 private:
  HttpResponse health() const;
  HttpResponse quick(const HttpRequest& request) const;
  HttpResponse models(const std::string& id) const;
  using Work = std::function<void(const std::shared_ptr<Exchange>&)>;
  void submit(HttpRequest request, const std::shared_ptr<Exchange>& exchange, bool chat);
  void attach_media(ApiRequest& api, const std::string& scope,
                    const std::shared_ptr<Exchange>& exchange) const;
  void prepare(boost::asio::thread_pool& pool, const std::shared_ptr<Exchange>& exchange, Work work);
  void plan(const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);
  HttpResponse tokenize(const HttpRequest& request);
  HttpResponse detokenize(const HttpRequest& request);
  std::string model_name() const;
  void check_model(const std::string& name) const;
  void warn_once(const std::vector<std::string>& unknown);

  AppOptions options_;
  Backend& backend_;
  MediaResolver& media_;
  std::shared_ptr<MediaWorker> worker_;
  weights::PreprocessConfig preprocess_;
  Metrics metrics_;
  std::function<HttpServerStats()> http_stats_;
  std::atomic<bool> draining_{false};
  std::atomic<size_t> preparing_{0};
  int64_t started_;
  std::mutex warned_mutex_;
  std::set<std::string> warned_;
  Gate gate_;
  boost::asio::thread_pool light_{2};  // JSON of events and quick endpoints: never blocks
  boost::asio::thread_pool parse_{4};  // bodies, prompts of text
  boost::asio::thread_pool
      media_pool_;  // media, prompts with media: as slow as a remote server or a long video
  boost::asio::thread_pool plans_{1};  // plans that decode
};

}  // namespace vl3::serve
