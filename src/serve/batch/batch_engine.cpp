#include "serve/batch/batch_engine.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>

#include "core/check.h"
#include "core/seconds.h"
#include "engine/engine_impl.h"
#include "engine/generate.h"
#include "engine/memory_plan.h"
#include "engine/prune_scan.h"
#include "serve/batch/model_info.h"

namespace vl3::serve {
namespace {

int32_t page_count(const engine::Runtime& runtime, const BatchOptions& options) {
  VL3_CHECK(runtime.device.is_cpu(), kInvalidArgument, "the batching engine runs on the CPU");
  const auto bytes = static_cast<uint64_t>(
      lm::PagedDecoder::page_bytes(runtime.config.text, runtime.kv_dtype, options.page_rows));
  const uint64_t pages = options.kv_bytes / bytes;
  VL3_CHECK(pages >= 2, kInvalidArgument, "--kv-cache-bytes {}: at least {} are needed", options.kv_bytes,
            2 * bytes);
  return static_cast<int32_t>(std::min<uint64_t>(pages, 1 << 24));
}

FeatureStoreOptions with_model(FeatureStoreOptions options, const engine::Runtime& runtime) {
  options.model = model_fingerprint(runtime);
  return options;
}

}  // namespace

BatchEngine::BatchEngine(std::shared_ptr<const engine::Runtime> runtime, BatchOptions options)
    : runtime_(std::move(runtime)),
      options_(std::move(options)),
      info_(describe_model(*runtime_)),
      pages_(page_count(*runtime_, options_)),
      pool_(pages_),
      scheduler_({.max_sequences = options_.max_sequences,
                  .step_rows = options_.step_rows,
                  .page_rows = options_.page_rows},
                 pool_),
      decoder_(*runtime_->model->language_model, runtime_->config.text, runtime_->model->head(),
               runtime_->kv_dtype, pages_, options_.page_rows),
      features_(with_model(options_.features, *runtime_)) {
  runtime_->tokenizer();  // read now, not by the first request
  thread_ = std::thread([this] { run(); });
}

BatchEngine::~BatchEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [id, group] : groups_) {
      if (const auto alive = group.lock()) alive->cancelled = true;
    }
  }
  changed_.notify_all();
  thread_.join();
}

engine::Request BatchEngine::prepare(const Job& job) const {
  engine::Request request;
  if (job.prompt || job.token_ids) {
    const std::vector<int64_t> ids =
        job.token_ids ? *job.token_ids : runtime_->tokenizer().encode(*job.prompt);
    for (const int64_t id : ids) request.items.push_back({.id = id});
    return request;
  }
  Conversation conversation = job.conversation;
  std::string beginning;
  if (job.continue_final_message) {
    for (const ContentPart& part : conversation.back().parts) beginning += part.text;
    conversation.pop_back();
  }
  engine::RequestOptions options = engine::request_options(job.options);
  options.describe = job.describe;
  options.add_generation_prompt = job.add_generation_prompt || job.continue_final_message;
  request = engine::prepare_request(
      *runtime_, engine::with_video_defaults(std::move(conversation), job.options), options);
  if (job.options.prune.max_tokens) {
    request.options.prune.enabled = true;
    request.options.prune.threshold = engine::threshold_for_budget(*runtime_, request, request.options.prune,
                                                                   *job.options.prune.max_tokens);
  }
  if (!beginning.empty()) {
    const std::vector<text::ByteRange> plain = {{0, beginning.size()}};
    for (const int64_t id : runtime_->tokenizer().encode(beginning, plain))
      request.items.push_back({.id = id});
  }
  return request;
}

void BatchEngine::submit(std::shared_ptr<Job> job, JobEvents events) {
  const auto start = std::chrono::steady_clock::now();
  if (jobs_.fetch_add(1) >= options_.max_queue) {
    --jobs_;
    throw QueueFull("the queue is full; try again later");
  }
  try {
    const c10::InferenceMode inference;
    engine::validate(job->options.generation, runtime_->config);
    std::vector<std::optional<sampling::Matcher>> matchers;
    for (int i = 0; i < job->n; ++i)
      matchers.push_back(engine::make_matcher(*runtime_, job->options.generation));
    engine::Request request = prepare(*job);
    const int64_t least = request.min_rows(), limit = runtime_->config.text.max_position_embeddings;
    const int64_t room = static_cast<int64_t>(pages_) * options_.page_rows;
    VL3_CHECK(least > 0, kInvalidArgument, "the prompt is empty");
    VL3_CHECK(least < limit, kInvalidArgument, "the prompt has at least {} tokens, the model's context is {}",
              least, limit);
    VL3_CHECK(least < room, kResourceExhausted, "the prompt has at least {} tokens, the KV cache holds {}",
              least, room);

    auto group = std::make_shared<Group>();
    group->job = job;
    group->events = std::move(events);
    group->submitted = start;
    group->open = job->n;
    group->result.receipt.seconds.load = runtime_->load_seconds;
    group->result.receipt.seconds.open = seconds_since(start);
    group->result.receipt.prune_threshold = request.options.prune.threshold;
    std::vector<std::unique_ptr<Sequence>> sequences;
    for (int i = 0; i < job->n; ++i)
      sequences.push_back(std::make_unique<Sequence>(*runtime_, group, i, request,
                                                     std::move(matchers[static_cast<size_t>(i)])));
    const std::lock_guard lock(mutex_);
    VL3_CHECK(!stopping_, kCancelled, "the engine is shutting down");
    groups_[job->id] = group;
    for (auto& sequence : sequences) incoming_.push_back(std::move(sequence));
    poked_ = true;
  } catch (...) {
    --jobs_;
    throw;
  }
  changed_.notify_all();
}

void BatchEngine::cancel(const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = groups_.find(id);
    if (it == groups_.end()) return;
    if (const auto group = it->second.lock()) group->cancelled = true;
    poked_ = true;
  }
  changed_.notify_all();
}

Plan BatchEngine::plan(Job& job, bool measure_pruning) {
  const c10::InferenceMode inference;
  return engine::make_plan(*runtime_, job.conversation, job.options, measure_pruning, job.describe);
}

std::vector<int64_t> BatchEngine::tokenize(const Job& job) {
  std::vector<int64_t> ids;
  for (const engine::PromptItem& item : prepare(job).items) ids.push_back(item.id);
  return ids;
}

std::string BatchEngine::detokenize(const std::vector<int64_t>& ids) {
  return runtime_->tokenizer().decode(ids, /*skip_special_tokens=*/false);
}

std::string BatchEngine::token_text(int64_t id) { return std::string(runtime_->tokenizer().token_bytes(id)); }

EngineStats BatchEngine::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace vl3::serve
