// Continuous batching on the CPU: one compute thread makes step after step, each with one row of every answer
// that is being generated and pieces of the prompts that are not done, over a paged KV cache that remembers
// prefixes. Media share the encoder, one batch of frames between two steps.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/runtime.h"
#include "lm/paged_decoder.h"
#include "serve/batch/disposal.h"
#include "serve/batch/feature_store.h"
#include "serve/batch/sequence.h"
#include "serve/metrics.h"
#include "serve/queue/backend.h"
#include "serve/queue/scheduler.h"

namespace vl3::serve {

struct BatchOptions {
  // What changes the speed.
  uint64_t kv_bytes = 1ull << 30;  ///< of the paged cache
  int64_t page_rows = 64;
  int64_t max_sequences = 32;    ///< answers made at once
  int64_t step_rows = 256;       ///< of a step: how long a piece of a prompt may hold the others up
  int64_t batch_patches = 1024;  ///< of one pass of the encoder, likewise
  int64_t max_queue = 256;       ///< jobs running and waiting; beyond, submit() refuses
  FeatureStoreOptions features;
};

class BatchEngine : public Backend {
 public:
  /// @throws Error(kInvalidArgument) for a runtime that is not on the CPU, or a cache of less than two pages.
  BatchEngine(std::shared_ptr<const engine::Runtime> runtime, BatchOptions options);
  ~BatchEngine() override;  ///< ends all jobs as cancelled

  void submit(std::shared_ptr<Job> job, JobEvents events) override;
  void cancel(const std::string& id) override;
  Plan plan(Job& job, bool measure_pruning) override;
  std::vector<int64_t> tokenize(const Job& job) override;
  std::string detokenize(const std::vector<int64_t>& ids) override;
  std::string token_text(int64_t id) override;
  const ModelInfo& model() const override { return info_; }
  EngineStats stats() const override;

 private:
  engine::Request prepare(const Job& job) const;
  void run();
  void take_new();
  void drop_cancelled();
  bool prepare_prompts();
  bool may_start(uint64_t id, Sequence& sequence) const;
  void feed(uint64_t id, Sequence& sequence, bool& encoded);
  void advance(Sequence& sequence, bool& encoded);
  void match_prefix(Slot& slot, Sequence& sequence);
  void compute(const std::vector<Scheduler::Work>& work);
  void finish_step(const std::vector<Scheduler::Work>& taken, const at::Tensor& hidden,
                   const std::vector<std::pair<uint64_t, int64_t>>& ends, double seconds, int64_t total,
                   int64_t prompt_rows);
  void publish(uint64_t id, Sequence& sequence);
  void sample(const at::Tensor& hidden, const std::vector<std::pair<uint64_t, int64_t>>& rows);
  void set_back(uint64_t id);
  void too_long(uint64_t id);
  void fail(uint64_t id, const Error& error);
  void end(uint64_t id);
  void fill_receipt(Sequence& sequence);
  void update_stats();
  template <typename Action>
  void guarded(uint64_t id, const Action& action);

  std::shared_ptr<const engine::Runtime> runtime_;
  const BatchOptions options_;
  ModelInfo info_;
  int32_t pages_;
  PagePool pool_;
  Scheduler scheduler_;
  lm::PagedDecoder decoder_;
  FeatureStore features_;

  // Shared with other threads, behind mutex_.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Sequence>> incoming_;
  std::map<std::string, std::weak_ptr<Group>> groups_;
  bool poked_ = false, stopping_ = false;
  Histogram iteration_tokens_{Metrics::iteration_bounds()};
  EngineStats stats_;
  std::atomic<int64_t> jobs_{0};

  // The compute thread's own.
  std::map<uint64_t, std::unique_ptr<Sequence>> sequences_;
  uint64_t next_id_ = 1, last_encoded_ = 0;
  EngineStats counters_;

  Disposal<engine::PromptRows> disposal_;  // of their requests they need nothing any more
  std::thread thread_;
};

}  // namespace vl3::serve
