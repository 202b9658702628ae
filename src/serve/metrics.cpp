#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/process.h"

namespace vl3::serve {
namespace {

class Page {
 public:
  explicit Page(std::string labels) : labels_(std::move(labels)) {}

  template <typename T>
  void one(const char* type, const char* name, const char* help, T value) {
    head(type, name, help);
    text_ += fmt::format("vl3:{}{{{}}} {}\n", name, labels_, value);
  }
  void head(const char* type, const char* name, const char* help) {
    text_ += fmt::format("# HELP vl3:{} {}\n# TYPE vl3:{} {}\n", name, help, name, type);
  }
  template <typename T>
  void labelled(const char* name, const std::string& more, T value) {
    text_ += fmt::format("vl3:{}{{{},{}}} {}\n", name, labels_, more, value);
  }
  void add(const Histogram& histogram, const char* name, const char* help) {
    text_ += histogram.text(std::string("vl3:") + name, help, labels_);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string labels_, text_;
};

double share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

std::string label_value(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void engine_figures(Page& page, const EngineStats& e) {
  page.one("gauge", "num_requests_running", "Requests being computed", e.running);
  page.one("gauge", "num_requests_waiting", "Requests waiting for a place", e.waiting);
  page.one("gauge", "kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1",
           share(e.pages_used, e.pages_total));
  page.one("counter", "num_preemptions_total", "Requests set back because the KV cache was full",
           e.preemptions);
  page.one("counter", "prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache",
           e.prefix_queries);
  page.one("counter", "prefix_cache_hits_total", "Prompt tokens found there", e.prefix_hits);
  page.head("gauge", "cache_config_info", "Sizes of the KV cache");
  page.labelled("cache_config_info",
                fmt::format("block_size=\"{}\",num_gpu_blocks=\"{}\"", e.page_rows, e.pages_total), 1);
  page.one("counter", "engine_steps_total", "Steps of the batch", e.steps);
  page.one("counter", "engine_step_rows_total", "Rows of those steps", e.step_rows);
  page.one("counter", "vision_frames_encoded_total", "Images and video frames encoded", e.frames_encoded);
  page.one("counter", "vision_tokens_total", "Visual tokens before pruning", e.visual_tokens);
  page.one("counter", "vision_tokens_kept_total", "Visual tokens after pruning", e.visual_tokens_kept);
  page.one("counter", "vision_cache_queries_total", "Media looked up in the feature cache", e.media_queries);
  page.one("counter", "vision_cache_hits_total", "Media found there, in memory or on disk", e.media_hits);
  page.one("counter", "vision_cache_disk_hits_total", "Media found on disk", e.media_disk_hits);
  page.one("gauge", "vision_cache_bytes", "Features in memory", e.feature_bytes);
  page.one("gauge", "vision_cache_disk_bytes", "Features on disk", e.feature_disk_bytes);
  page.one("counter", "encode_seconds_total", "Seconds of the vision encoder", e.encode_seconds);
  page.one("counter", "prefill_seconds_total", "Seconds of steps with prompt rows", e.prefill_seconds);
  page.one("counter", "decode_seconds_total", "Seconds of steps without", e.decode_seconds);
}

}  // namespace

void Histogram::observe(double value) {
  const auto at =
      static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
  const std::lock_guard lock(mutex_);
  ++counts_[at];
  ++count_;
  sum_ += value;
}

std::string Histogram::text(const std::string& name, const std::string& help,
                            const std::string& labels) const {
  const std::lock_guard lock(mutex_);
  std::string out = fmt::format("# HELP {} {}\n# TYPE {} histogram\n", name, help, name);
  uint64_t below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    const std::string bound = i < bounds_.size() ? fmt::format("{}", bounds_[i]) : "+Inf";
    out += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bound, below);
  }
  return out + fmt::format("{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, labels, sum_, name, labels, count_);
}

std::vector<double> Metrics::first_token_bounds() {
  return {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
          1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
}
std::vector<double> Metrics::latency_bounds() {
  return {0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
}
std::vector<double> Metrics::token_bounds() {
  return {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
}
std::vector<double> Metrics::iteration_bounds() {
  return {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
}

void Metrics::finished(const RequestFigures& f) {
  if (f.first_token_s > 0) first_token_.observe(f.first_token_s);
  e2e_.observe(f.total_s);
  queue_.observe(f.queue_s);
  prefill_.observe(f.prefill_s);
  decode_.observe(f.decode_s);
  inference_.observe(f.total_s - f.queue_s);
  if (f.completion_tokens > 1) per_token_.observe(f.decode_s / static_cast<double>(f.completion_tokens - 1));
  prompt_tokens_.observe(static_cast<double>(f.prompt_tokens));
  generation_tokens_.observe(static_cast<double>(f.completion_tokens));
  max_tokens_.observe(static_cast<double>(f.max_tokens));
  n_.observe(static_cast<double>(f.n));
  const std::lock_guard lock(mutex_);
  ++success_[f.finished_reason];
  prompt_total_ += static_cast<uint64_t>(f.prompt_tokens);
  generation_total_ += static_cast<uint64_t>(f.completion_tokens);
}

void Metrics::responded(int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[status];
}

std::string Metrics::text(const EngineStats& engine, const HttpServerStats& http,
                          const MediaWorker::Stats* worker, const Histogram* iterations) const {
  Page page(fmt::format("model_name=\"{}\",engine=\"0\"", label_value(model_name_)));
  engine_figures(page, engine);
  {
    const std::lock_guard lock(mutex_);
    page.one("counter", "prompt_tokens_total", "Prompt tokens of finished requests", prompt_total_);
    page.one("counter", "generation_tokens_total", "Generated tokens of finished requests",
             generation_total_);
    page.head("counter", "request_success_total", "Finished requests by reason");
    for (const auto& [reason, count] : success_)
      page.labelled("request_success_total", fmt::format("finished_reason=\"{}\"", reason), count);
    page.head("counter", "http_responses_total", "Responses by status");
    for (const auto& [status, count] : responses_)
      page.labelled("http_responses_total", fmt::format("status=\"{}\"", status), count);
  }
  page.add(first_token_, "time_to_first_token_seconds", "From the request to the first token");
  page.add(inter_token_, "inter_token_latency_seconds", "Between tokens of a stream");
  page.add(per_token_, "request_time_per_output_token_seconds", "Mean of a request");
  page.add(e2e_, "e2e_request_latency_seconds", "From the request to its end");
  page.add(queue_, "request_queue_time_seconds", "Waiting for a place");
  page.add(inference_, "request_inference_time_seconds", "From the place to the end");
  page.add(prefill_, "request_prefill_time_seconds", "From the place to the first token");
  page.add(decode_, "request_decode_time_seconds", "From the first token to the last");
  if (iterations != nullptr) page.add(*iterations, "iteration_tokens_total", "Tokens of a step of the batch");
  page.add(prompt_tokens_, "request_prompt_tokens", "Prompt tokens of a request");
  page.add(generation_tokens_, "request_generation_tokens", "Generated tokens of a request");
  page.add(n_, "request_params_n", "Answers asked for");
  page.add(max_tokens_, "request_params_max_tokens", "Most tokens asked for");
  page.one("gauge", "http_connections", "Open connections", http.connections);
  page.one("counter", "http_connections_total", "Connections accepted", http.accepted);
  page.one("counter", "http_refused_total", "Connections refused at the limit", http.refused);
  page.one("counter", "http_timeouts_total", "Connections that took too long", http.timed_out);
  page.one("counter", "http_malformed_total", "Requests that are no HTTP", http.malformed);
  page.one("counter", "http_slow_readers_total", "Streams ended because the client did not read",
           http.slow_readers);
  if (worker != nullptr) {
    page.one("counter", "media_jobs_total", "Media given to the decoding worker", worker->jobs);
    page.one("counter", "media_crashes_total", "Of those, decoders that crashed", worker->crashes);
    page.one("counter", "media_timeouts_total", "Of those, decoders that hung", worker->timeouts);
    page.one("counter", "media_worker_restarts_total", "Starts of the worker after it was gone",
             worker->restarts);
  }
  page.one("gauge", "process_peak_rss_bytes", "Most memory held so far", peak_rss_bytes());
  return page.take();
}

}  // namespace vl3::serve
