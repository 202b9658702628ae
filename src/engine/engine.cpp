#include "vl3/engine.h"

#include <ATen/Parallel.h>

#include <chrono>

#include "core/check.h"
#include "core/log.h"
#include "core/process.h"
#include "core/seconds.h"
#include "engine/engine_impl.h"
#include "engine/generate.h"
#include "engine/media_fetcher.h"
#include "engine/memory_plan.h"
#include "engine/out_of_memory.h"
#include "engine/prune_scan.h"
#include "engine/visual_count.h"

namespace vl3 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSessionVisionBytes = 256 << 20;

std::optional<Flow> parse_flow(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (name == "remote") return Flow::kRemote;
  VL3_CHECK(name == "native", kInvalidArgument, "flow \"{}\": expected remote or native", name);
  return Flow::kNative;
}

}  // namespace

namespace engine {

RequestOptions request_options(const AskOptions& options) {
  RequestOptions result;
  result.add_system_prompt = options.add_system_prompt;
  result.parse_special_in_text = options.parse_special_in_text;
  result.max_visual_tokens = options.max_visual_tokens;
  result.prune.enabled = options.prune.enabled;
  result.prune.threshold = options.prune.threshold;
  VL3_CHECK(options.prune.reference == "previous" || options.prune.reference == "last-kept", kInvalidArgument,
            "prune reference \"{}\": expected previous or last-kept", options.prune.reference);
  result.prune.reference = options.prune.reference == "previous" ? preprocess::PruneReference::kPrevious
                                                                 : preprocess::PruneReference::kLastKept;
  result.limits.max_bytes = options.limits.max_bytes;
  result.limits.max_pixels = options.limits.max_pixels;
  result.limits.max_seconds = options.limits.max_seconds;
  result.limits.timeout_s = options.limits.timeout_s;
  result.limits.allow_private_addresses = options.limits.allow_private_addresses;
  return result;
}

bool may_be_video(const ContentPart& part) {
  return !part.media.empty() && (part.kind == PartKind::kVideo || part.kind == PartKind::kMedia);
}

Conversation with_video_defaults(Conversation conversation, const AskOptions& options) {
  for (Message& message : conversation) {
    for (ContentPart& part : message.parts) {
      if (!may_be_video(part)) continue;
      if (!part.num_frames && !part.fps) part.fps = options.fps;
      if (!part.num_frames && !part.max_frames) part.max_frames = options.max_frames;
      if (!part.start) part.start = options.start;
      if (!part.end) part.end = options.end;
    }
  }
  return conversation;
}

Request make_request(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
                     const MediaOpener& opener, const preprocess::PartDescriber& describe) {
  RequestOptions inner = request_options(options);
  inner.opener = opener;
  inner.describe = describe;
  Request request = prepare_request(runtime, with_video_defaults(conversation, options), inner);
  if (options.prune.max_tokens) {
    request.options.prune.enabled = true;
    request.options.prune.threshold =
        threshold_for_budget(runtime, request, request.options.prune, *options.prune.max_tokens);
  }
  return request;
}

std::vector<MediumReceipt> describe_media(const Request& request,
                                          const std::vector<std::vector<int64_t>>& kept) {
  std::vector<MediumReceipt> receipts;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediaEntry& entry = request.media[m];
    const preprocess::MediumPlan& plan = request.plan.media[m];
    MediumReceipt receipt;
    receipt.name = entry.name;
    receipt.kind = entry.shape.kind == preprocess::MediaKind::kImage ? "image" : "video";
    receipt.height = entry.shape.size.height;
    receipt.width = entry.shape.size.width;
    receipt.resized_height = plan.size.height;
    receipt.resized_width = plan.size.width;
    receipt.duration_s = entry.duration_s;
    for (int64_t f = 0; f < plan.grid.t; ++f) {
      const auto index = static_cast<size_t>(f);
      FrameReceipt frame;
      if (index < entry.source_index.size()) frame.source_index = entry.source_index[index];
      if (index < entry.timestamps.size()) frame.time_s = entry.timestamps[index];
      frame.tokens = plan.tokens_per_frame;
      frame.kept = m < kept.size() && index < kept[m].size() ? kept[m][index] : plan.tokens_per_frame;
      receipt.frames.push_back(frame);
    }
    receipts.push_back(std::move(receipt));
  }
  return receipts;
}

}  // namespace engine

struct Session::Impl {
  std::shared_ptr<Engine::Impl> engine;
  engine::VisionCache vision_cache;
  std::optional<lm::KvCache> cache;
  std::vector<uint64_t> keys;  // of the rows in the cache
  std::shared_ptr<engine::FetchedMedia> fetched = std::make_shared<engine::FetchedMedia>();

  Impl(std::shared_ptr<Engine::Impl> of, int64_t vision_bytes)
      : engine(std::move(of)), vision_cache(vision_bytes) {}

  Answer ask(const Conversation& conversation, const AskOptions& options, const Callbacks& callbacks) {
    const std::lock_guard lock(engine->compute);
    return engine::naming_out_of_memory([&] { return answer_to(conversation, options, callbacks); });
  }

 private:
  Answer answer_to(const Conversation& conversation, const AskOptions& options, const Callbacks& callbacks) {
    const engine::Runtime& runtime = *engine->runtime;
    const auto start = Clock::now();
    engine::validate(options.generation, runtime.config);
    // Before the media are opened: what is wrong with a schema or a regex should not cost a download.
    std::optional<sampling::Matcher> matcher = engine::make_matcher(runtime, options.generation);
    Answer answer;
    Conversation fitted = conversation;
    engine::forget_other_media(*fetched, conversation);
    const engine::MediaOpener opener = engine::fetching_once(
        conversation, engine::request_options(options).limits,
        [&](const char* stage, int64_t done, int64_t total) {
          if (callbacks.on_progress) callbacks.on_progress({stage, done, total});
        },
        fetched);
    if (options.max_ram_bytes > 0)
      answer.receipt.warnings =
          engine::fit_memory(runtime, fitted, options, opener, static_cast<uint64_t>(vision_cache.bytes()));
    engine::Request request = engine::make_request(runtime, fitted, options, opener);
    answer.receipt.seconds.load = runtime.load_seconds;
    answer.receipt.seconds.open = seconds_since(start);
    answer.receipt.prune_threshold = request.options.prune.threshold;

    if (!cache) cache.emplace(runtime.config.text, 1, runtime.kv_dtype, runtime.device);
    engine::PrefillHooks hooks;
    hooks.cancelled = callbacks.cancelled;
    if (callbacks.on_progress) {
      hooks.progress = [&](const engine::Progress& p) { callbacks.on_progress({p.stage, p.done, p.total}); };
    }
    engine::PrefillResult prefilled;
    try {
      prefilled =
          engine::prefill(runtime, request, *cache, keys, vision_cache, hooks, options.generation.max_tokens);
    } catch (const Error& error) {
      forget();
      if (error.code() != ErrorCode::kCancelled) throw;
      answer.finish_reason = "cancelled";
      return answer;
    } catch (...) {
      forget();
      throw;
    }
    keys = prefilled.keys;
    const double before_generation = seconds_since(start);
    engine::GenerateResult generated;
    try {
      generated = engine::generate(runtime, *cache, prefilled, options.generation, std::move(matcher),
                                   callbacks, keys);
    } catch (...) {
      forget();
      throw;
    }
    VL3_DCHECK(static_cast<int64_t>(keys.size()) == cache->length());
    fill(answer, request, prefilled, generated);
    answer.receipt.seconds.first_token = before_generation + generated.first_token_seconds;
    answer.receipt.seconds.total = seconds_since(start);
    answer.receipt.seconds.generate = answer.receipt.seconds.total - before_generation;
    answer.receipt.peak_rss_bytes = peak_rss_bytes();
    return answer;
  }

  void forget() {
    cache.reset();
    keys.clear();
  }

  static void fill(Answer& answer, const engine::Request& request, const engine::PrefillResult& prefilled,
                   engine::GenerateResult& generated) {
    answer.text = std::move(generated.text);
    answer.token_ids = std::move(generated.token_ids);
    answer.finish_reason = std::move(generated.finish_reason);
    answer.constraint_met = generated.constraint_met;
    Receipt& receipt = answer.receipt;
    receipt.media = engine::describe_media(request, prefilled.kept);
    const engine::VisualCount visual = engine::count_visual(receipt.media);
    receipt.visual_tokens = visual.tokens;
    receipt.visual_tokens_kept = visual.kept;
    receipt.prompt_tokens = static_cast<int64_t>(prefilled.ids.size());
    receipt.cached_tokens = prefilled.cached_rows;
    receipt.completion_tokens = static_cast<int64_t>(answer.token_ids.size());
    receipt.drafted_tokens = generated.num_drafted;
    receipt.accepted_tokens = generated.num_accepted;
    receipt.seconds.decode = prefilled.visual.decode;
    receipt.seconds.preprocess = prefilled.visual.preprocess;
    receipt.seconds.encode = prefilled.visual.encode;
    receipt.seconds.prefill = prefilled.prefill_seconds;
    receipt.warnings.insert(receipt.warnings.end(), prefilled.warnings.begin(), prefilled.warnings.end());
  }
};

Engine Engine::load(const EngineOptions& options) {
  VL3_CHECK(options.threads >= 0 && options.threads <= 1024, kInvalidArgument,
            "threads {}: expected 0 to 1024", options.threads);
  if (options.threads > 0) at::set_num_threads(options.threads);
  auto impl = std::make_shared<Impl>();
  impl->runtime = engine::naming_out_of_memory(
      [&] {
        return engine::Runtime::load({.model = options.model,
                                      .dtype = options.dtype,
                                      .kv_cache_dtype = options.kv_cache_dtype,
                                      .device = options.device,
                                      .flow = parse_flow(options.flow)});
      },
      engine::kLoadLess);
  return Engine(std::move(impl));
}

Engine::Engine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Answer Engine::ask(const Conversation& conversation, const AskOptions& options,
                   const Callbacks& callbacks) const {
  return Session::Impl(impl_, /*vision_bytes=*/0).ask(conversation, options, callbacks);
}

void Engine::check(const AskOptions& options) const {
  engine::validate(options.generation, impl_->runtime->config);
  engine::request_options(options);
  engine::make_matcher(*impl_->runtime, options.generation);
}

Plan Engine::plan(const Conversation& conversation, const AskOptions& options, bool measure_pruning) const {
  const std::lock_guard lock(impl_->compute);
  return engine::naming_out_of_memory(
      [&] { return engine::make_plan(*impl_->runtime, conversation, options, measure_pruning); });
}

Session::Session(const Engine& engine) : impl_(std::make_unique<Impl>(engine.impl_, kSessionVisionBytes)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

Answer Session::ask(const Conversation& conversation, const AskOptions& options, const Callbacks& callbacks) {
  return impl_->ask(conversation, options, callbacks);
}

}  // namespace vl3
