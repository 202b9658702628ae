// Counters and histograms of the server in Prometheus' text format: vLLM's names and buckets behind the
// prefix "vl3:". Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "serve/http/server.h"
#include "serve/media/media_worker.h"
#include "serve/queue/backend.h"

namespace vl3::serve {

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void observe(double value);
  /// @param labels  `model_name="x"`, without braces.
  std::string text(const std::string& name, const std::string& help, const std::string& labels) const;

 private:
  std::vector<double> bounds_;
  mutable std::mutex mutex_;
  std::vector<uint64_t> counts_;
  double sum_ = 0;
  uint64_t count_ = 0;
};

/// What one finished request adds.
struct RequestFigures {
  std::string finished_reason;  ///< "stop", "length", "abort", "error"
  int64_t prompt_tokens = 0, completion_tokens = 0;
  int64_t n = 1, max_tokens = 0;
  double queue_s = 0, first_token_s = 0, prefill_s = 0, decode_s = 0, total_s = 0;
};

class Metrics {
 public:
  explicit Metrics(std::string model_name) : model_name_(std::move(model_name)) {}

  void finished(const RequestFigures& figures);
  void token_gap(double seconds) { inter_token_.observe(seconds); }
  void responded(int status);

  /// For the histogram of the tokens (rows) of a step, which the engine keeps itself.
  static std::vector<double> iteration_bounds();

  /// The whole page. @param iterations  may be null.
  std::string text(const EngineStats& engine, const HttpServerStats& http, const MediaWorker::Stats* worker,
                   const Histogram* iterations = nullptr) const;

 private:
  std::string model_name_;
  static std::vector<double> first_token_bounds();
  static std::vector<double> latency_bounds();
  static std::vector<double> token_bounds();
  Histogram first_token_{first_token_bounds()};
  Histogram inter_token_{
      {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5}};
  Histogram per_token_{
      {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5}};
  Histogram e2e_{latency_bounds()}, queue_{latency_bounds()}, inference_{latency_bounds()},
      prefill_{latency_bounds()}, decode_{latency_bounds()};
  Histogram prompt_tokens_{token_bounds()}, generation_tokens_{token_bounds()}, max_tokens_{token_bounds()};
  Histogram n_{{1, 2, 5, 10, 20}};
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> success_;
  std::map<int, uint64_t> responses_;
  uint64_t prompt_total_ = 0, generation_total_ = 0;
};

}  // namespace vl3::serve
