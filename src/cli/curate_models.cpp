#include "cli/curate_models.h"

#include <condition_variable>
#include <mutex>

#include "cli/flags.h"
#include "core/check.h"
#include "curate/engine/engine_model.h"
#include "curate/engine/onnx_scorer.h"
#include "curate/engine/script_scorer.h"
#include "media/data_url.h"
#include "serve/batch/batch_engine.h"

namespace vl3::cli {
namespace {

std::shared_ptr<const engine::Runtime> load_runtime(const curate::CurateConfig& config) {
  ModelFlags flags;
  flags.options.model = config.model == "default" ? "" : config.model;
  flags.options.dtype = config.dtype;
  flags.options.device = config.device;
  return flags.load_runtime();
}

// Jobs of the server's batch engine: all requests at once, each answer collected as it comes.
class BatchCaptioner : public curate::Captioner {
 public:
  explicit BatchCaptioner(const curate::CurateConfig& config)
      : config_(config), engine_(load_runtime(config), options_of(config)) {}

  std::vector<curate::CaptionReply> caption(const std::vector<curate::CaptionRequest>& requests) override {
    std::vector<curate::CaptionReply> replies(requests.size());
    std::mutex mutex;
    std::condition_variable changed;
    size_t open = requests.size();
    for (size_t i = 0; i < requests.size(); ++i) {
      serve::JobEvents events;
      events.delta = [&, i](const serve::Delta& delta) {
        const std::lock_guard lock(mutex);
        replies[i].text += delta.text;
        if (!delta.finish_reason.empty()) replies[i].finish_reason = delta.finish_reason;
      };
      events.finished = [&, i](const serve::JobResult& result) {
        const std::lock_guard lock(mutex);
        if (result.error) replies[i].error = result.error->what();
        if (--open == 0) changed.notify_all();
      };
      try {
        engine_.submit(job_of(requests[i], i), std::move(events));
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex);
        replies[i].error = error.what();
        --open;
      }
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&open] { return open == 0; });
    return replies;
  }

 private:
  static serve::BatchOptions options_of(const curate::CurateConfig& config) {
    serve::BatchOptions options;
    options.max_sequences = config.caption.batch;
    options.max_queue = 4 * config.caption.batch + 8;
    return options;
  }

  std::shared_ptr<serve::Job> job_of(const curate::CaptionRequest& request, size_t number) const {
    auto job = std::make_shared<serve::Job>();
    job->id = fmt::format("caption-{}", number);
    const std::string media = request.bytes != nullptr
                                  ? media::encode_data_url("application/octet-stream", *request.bytes)
                                  : request.media;
    ContentPart part = request.video ? video_part(media) : image_part(media);
    if (request.video && request.end_s > request.start_s)
      part.start = request.start_s, part.end = request.end_s;
    job->conversation = {user_message({std::move(part), text_part(request.prompt)})};
    job->options.generation.max_tokens = config_.caption.max_tokens;
    job->options.generation.temperature = 0;
    return job;
  }

  curate::CurateConfig config_;
  serve::BatchEngine engine_;
};

}  // namespace

curate::Models load_curate_models(const curate::CurateConfig& config) {
  curate::Models models;
  const bool judges = config.features == "encoder" || config.similarity.min_gain.has_value();
  if (config.model != "none" && judges) models.push_back(curate::engine_model(load_runtime(config), config));
  for (const curate::ScorerConfig& scorer : config.scorers) {
    if (scorer.kind == "onnx") models.push_back(curate::onnx_scorer(scorer));
    if (scorer.kind == "torchscript") models.push_back(curate::script_scorer(scorer));
  }
  return models;
}

std::unique_ptr<curate::Captioner> make_captioner(const curate::CurateConfig& config) {
  return std::make_unique<BatchCaptioner>(config);
}

}  // namespace vl3::cli
