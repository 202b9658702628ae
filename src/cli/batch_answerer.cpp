#include "cli/batch_answerer.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <future>

#include "core/check.h"
#include "lm/paged_decoder.h"
#include "serve/batch/batch_engine.h"

namespace vl3::cli {
namespace {

class BatchAnswerer : public eval::Answerer {
 public:
  BatchAnswerer(std::shared_ptr<const engine::Runtime> runtime, serve::BatchOptions options,
                OrderedJson identity, const AskOptions& ask, std::function<bool()> cancelled)
      : at_once_(static_cast<int>(options.max_sequences)),
        identity_(std::move(identity)),
        ask_(ask),
        cancelled_(std::move(cancelled)),
        engine_(std::move(runtime), std::move(options)) {}

  OrderedJson identity() const override { return identity_; }
  int at_once() const override { return at_once_; }
  std::unique_ptr<eval::AnswerSession> session() override { return std::make_unique<Session>(*this); }

  eval::Reply ask(const Conversation& conversation) {
    const auto job = std::make_shared<serve::Job>();
    job->id = fmt::format("question-{}", next_++);
    job->conversation = conversation;
    job->options = ask_;
    eval::Reply reply;  // written by the engine's thread until `finished`
    std::promise<serve::JobResult> finished;
    std::future<serve::JobResult> future = finished.get_future();
    engine_.submit(
        job, {.prefilled = [](int64_t) {},
              .delta =
                  [&reply](const serve::Delta& delta) {
                    reply.text += delta.text;
                    if (!delta.finish_reason.empty()) reply.finish_reason = delta.finish_reason;
                  },
              .progress = [](const std::string&, int64_t, int64_t, int64_t) {},
              .finished = [&finished](serve::JobResult result) { finished.set_value(std::move(result)); }});
    while (future.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
      if (cancelled_()) engine_.cancel(job->id);
    }
    const serve::JobResult result = future.get();
    if (result.cancelled) throw eval::FatalError(Error(ErrorCode::kCancelled, "stopped"));
    if (result.error) throw Error(*result.error);
    reply.prompt_tokens = result.receipt.prompt_tokens;
    reply.completion_tokens = result.receipt.completion_tokens;
    return reply;
  }

 private:
  /// What a medium's questions share is in the engine's own caches.
  class Session : public eval::AnswerSession {
   public:
    explicit Session(BatchAnswerer& answerer) : answerer_(answerer) {}
    eval::Reply ask(const Conversation& conversation) override { return answerer_.ask(conversation); }

   private:
    BatchAnswerer& answerer_;
  };

  const int at_once_;
  const OrderedJson identity_;
  const AskOptions ask_;
  const std::function<bool()> cancelled_;
  std::atomic<int64_t> next_{0};
  serve::BatchEngine engine_;
};

}  // namespace

std::unique_ptr<eval::Answerer> batch_answerer(std::shared_ptr<const engine::Runtime> runtime,
                                               OrderedJson identity, const AskOptions& ask, int at_once,
                                               std::function<bool()> cancelled) {
  serve::BatchOptions options;
  options.max_sequences = options.max_queue = at_once;
  const weights::TextConfig& text = runtime->config.text;
  const int64_t pages = text.max_position_embeddings / options.page_rows + 1;
  const int64_t context = pages * lm::PagedDecoder::page_bytes(text, runtime->kv_dtype, options.page_rows);
  options.kv_bytes = std::max(options.kv_bytes, static_cast<uint64_t>(context));
  return std::make_unique<BatchAnswerer>(std::move(runtime), std::move(options), std::move(identity), ask,
                                         std::move(cancelled));
}

}  // namespace vl3::cli
