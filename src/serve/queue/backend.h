// What the HTTP side asks of whatever computes answers: submit a job, hear its events, cancel it. Free of
// libtorch, so that the whole protocol can be tested against a scripted backend.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/queue/job.h"

namespace vl3::serve {

/// The model as `/v1/models` shows it.
struct ModelInfo {
  std::string path;
  int64_t max_model_len = 0;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t num_parameters = 0;
  uint64_t weight_bytes = 0;
  std::string dtype;
  bool takes_media = true;
  std::string notice;  ///< what the checkpoint wants said of it first; may be empty
};

class Histogram;

/// A picture of the engine for /metrics and /load. Counters never fall.
struct EngineStats {
  int64_t running = 0, waiting = 0;
  int64_t pages_total = 0, pages_used = 0;  ///< of the KV cache; cached pages that may be taken count as free
  int64_t page_rows = 0;
  uint64_t preemptions = 0;
  uint64_t prefix_queries = 0, prefix_hits = 0;  ///< prompt tokens looked up and found
  uint64_t media_queries = 0, media_hits = 0;    ///< media looked up in the vision-feature cache, and found
  uint64_t media_disk_hits = 0;                  ///< of those, from disk
  uint64_t frames_encoded = 0;                   ///< images and video frames
  uint64_t visual_tokens = 0, visual_tokens_kept = 0;
  uint64_t steps = 0, step_rows = 0;
  double encode_seconds = 0, prefill_seconds = 0, decode_seconds = 0;  ///< of compute
  uint64_t feature_bytes = 0, feature_disk_bytes = 0;
  const Histogram* iteration_tokens = nullptr;  ///< rows of a step; lives as long as the backend
};

/// All methods may be called from any thread.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Opens the job's media, renders and tokenises its prompt on the caller's thread, then queues it. Events
  /// come from the compute thread, the last one is `finished`, exactly once; none comes after cancel()
  /// returned... but `finished` with finish reason "cancelled".
  /// @throws Error for a job that cannot run (no event is sent then); QueueFull.
  virtual void submit(std::shared_ptr<Job> job, JobEvents events) = 0;

  /// Ends a job at its next step; unknown ids are ignored.
  virtual void cancel(const std::string& id) = 0;

  virtual Plan plan(Job& job, bool measure_pruning) = 0;

  virtual std::vector<int64_t> tokenize(const Job& job) = 0;
  virtual std::string detokenize(const std::vector<int64_t>& ids) = 0;
  virtual std::string token_text(int64_t id) = 0;  ///< its bytes, perhaps part of a character

  virtual const ModelInfo& model() const = 0;
  virtual EngineStats stats() const = 0;
};

}  // namespace vl3::serve
