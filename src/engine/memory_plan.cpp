#include "engine/memory_plan.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <tuple>

#include "core/check.h"
#include "core/log.h"
#include "core/seconds.h"
#include "engine/engine_impl.h"
#include "engine/prune_scan.h"
#include "engine/still_memory.h"
#include "engine/time_plan.h"
#include "engine/visual_count.h"
#include "media/sampled_reader.h"

namespace vl3::engine {
namespace {

constexpr uint64_t kFloat = 4;
constexpr int64_t kBatchPatches = 3072;  // as VisualStream batches
constexpr int64_t kMlpRows = 1024;       // as the encoder blocks its MLP
constexpr int64_t kChunkRows = 512;      // as prefill() chunks
constexpr uint64_t kQueueBytes = 16 << 20;
constexpr uint64_t kWideningBytes = 16 << 20;  // ops::linear's scratch for bfloat16 weights
constexpr int64_t kFramesInDecoder =
    8;  // of 1080p: four references (level 4), two threads, two on their way out

// Of one medium: what its reader holds, and what encoding a batch of it holds.
uint64_t decoding_bytes(const Request& request, size_t m) {
  const preprocess::MediumPlan& plan = request.plan.media[m];
  const uint64_t pixels = static_cast<uint64_t>(plan.shape.size.height) * plan.shape.size.width;
  // The resizer's window of rows, and the patches it fills.
  const uint64_t resizing = 64 * 3 * static_cast<uint64_t>(plan.shape.size.width + plan.size.width) +
                            2 * 3 * static_cast<uint64_t>(plan.size.height) * plan.size.width;
  if (plan.shape.kind == preprocess::MediaKind::kImage) {
    const preprocess::MediaEntry& entry = request.media[m];
    const text::ContentPart& part = request.conversation[entry.message].parts[entry.part];
    return still_decoding_bytes(part.media, request.options.opener, plan.shape.size) + resizing;
  }
  const int64_t pictures = media::SampledReader::most_frames(pixels * 3) + 1;  // and the one being resized
  return pixels * 3 * static_cast<uint64_t>(pictures) + pixels * 3 / 2 * kFramesInDecoder + resizing;
}

uint64_t vision_work(const Runtime& runtime, const Request& request) {
  const weights::VisionConfig& v = runtime.config.vision;
  const uint64_t D = v.hidden_size, F = v.intermediate_size, C = 3 * v.patch_size * v.patch_size;
  // While a medium is decoded, those before it are encoded; of a lone picture one comes after the other.
  uint64_t most = 0, most_encoding = 0;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    const int64_t frame = plan.grid.h * plan.grid.w;
    const int64_t batch =
        std::min(plan.grid.t, std::max<int64_t>(1, kBatchPatches / std::max<int64_t>(1, frame)));
    const uint64_t patches = frame * batch;
    // x, q before and after its turn, k and v (bfloat16 with such weights), the attention's result: about
    // seven rows of D a patch.
    const uint64_t activations =
        patches * (C * kFloat + 7 * D * kFloat) + 2 * std::min<uint64_t>(patches, kMlpRows) * F * kFloat;
    const uint64_t queued = std::min<uint64_t>(kQueueBytes, plan.patches() * C) + frame * C;
    const uint64_t features = patches * runtime.config.text.hidden_size * kFloat;
    const uint64_t encoding = activations + queued + features, decoding = decoding_bytes(request, m);
    if (plan.shape.kind == preprocess::MediaKind::kVideo) most_encoding = std::max(most_encoding, encoding);
    most = std::max(most, decoding + most_encoding);
    most_encoding = std::max(most_encoding, encoding);
    most = std::max(most, most_encoding);
  }
  return most;
}

uint64_t prefill_work(const Runtime& runtime, int64_t rows) {
  const weights::TextConfig& t = runtime.config.text;
  const uint64_t chunk = std::min(kChunkRows, rows), D = t.hidden_size, F = t.intermediate_size;
  const uint64_t kv_row = t.num_key_value_heads * t.head_dim * kFloat;
  // Of a later chunk the cached keys and values are widened once a layer.
  const uint64_t past = rows > kChunkRows ? 2 * rows * kv_row : 0;
  return chunk * (8 * D + 3 * F) * kFloat + past + 3 * static_cast<uint64_t>(t.vocab_size) * kFloat;
}

int64_t new_tokens(const AskOptions& options) { return options.generation.max_tokens; }

// Rows of the fused sequence at most. With a budget of tokens the videos keep no more than that.
int64_t most_rows(const Request& request, const PruneConfig& prune) {
  if (!prune.max_tokens) return request.max_rows();
  int64_t of_videos = 0;
  for (const preprocess::MediumPlan& medium : request.plan.media) {
    if (medium.shape.kind == preprocess::MediaKind::kVideo) of_videos += medium.tokens();
  }
  return request.max_rows() - std::max<int64_t>(0, of_videos - *prune.max_tokens);
}

// Whether what pruning keeps decides if the request fits: not where it fits with every token, nor where it
// would not fit with the fewest.
bool pruning_decides(const Runtime& runtime, const Request& request, const AskOptions& options) {
  const auto fits = [&](int64_t rows) {
    return estimate_memory(runtime, request, rows, new_tokens(options)).total() <= options.max_ram_bytes;
  };
  return options.max_ram_bytes > 0 && !fits(most_rows(request, options.prune)) && fits(request.min_rows());
}

// What is needed is rounded up, so that a limit of as many MiB is enough.
uint64_t mib_needed(uint64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

Conversation with_fewer_frames(Conversation conversation, int64_t most) {
  for (Message& message : conversation) {
    for (ContentPart& part : message.parts) {
      if (!may_be_video(part)) continue;
      std::optional<int64_t>& frames = part.num_frames ? part.num_frames : part.max_frames;
      frames = std::min(frames.value_or(most), most);
    }
  }
  return conversation;
}

// Rows of the fused sequence with the tokens that pruning keeps.
int64_t kept_rows(const Request& request, const std::vector<std::vector<int64_t>>& kept) {
  int64_t rows = request.max_rows();
  for (size_t m = 0; m < kept.size(); ++m) {
    rows -= request.plan.media[m].tokens() - std::accumulate(kept[m].begin(), kept[m].end(), int64_t{0});
  }
  return rows;
}

bool has_media(const Request& request) { return !request.media.empty(); }

// Of a video that broke off while its tokens were counted, as an ask would leave the rest out.
void leave_out_missing_frames(const Runtime& runtime, Request& request,
                              const std::vector<std::vector<int64_t>>& kept) {
  for (size_t m = 0; m < kept.size(); ++m) {
    const auto frames = static_cast<int64_t>(kept[m].size());
    VL3_CHECK(frames > 0, kCorrupt, "{}: no frame can be decoded", request.media[m].name);
    if (frames < request.plan.media[m].grid.t) shorten(request, runtime, m, frames);
  }
}

}  // namespace

MemoryEstimate estimate_memory(const Runtime& runtime, const Request& request, int64_t rows,
                               int64_t more_tokens) {
  MemoryEstimate estimate;
  estimate.before = runtime.bytes_before_requests(request.content_bytes) + request.content_bytes;
  const auto& packed = runtime.packed_weights();
  if (runtime.weights_are_mapped() || !packed.empty()) {
    for (const weights::ExpectedTensor& tensor : runtime.checkpoint->tensors()) {
      const bool visual =
          tensor.name.starts_with("model.vision_model.") || tensor.name.starts_with("model.projector.");
      // Of an untied embedding table only the prompt's rows are read.
      const bool rows_only =
          !runtime.config.text.tie_word_embeddings && tensor.name.ends_with("embed_tokens.weight");
      if (const auto found = packed.find(tensor.name); found != packed.end()) {
        // Packed as a whole, once, at the first use.
        if (found->second->ready() || !visual || has_media(request))
          estimate.weights += found->second->bytes();
        continue;
      }
      if ((visual && !has_media(request)) || rows_only || !runtime.weights_are_mapped()) continue;
      estimate.weights += runtime.checkpoint->view(tensor.name).size_bytes;
    }
  }
  // Room that is reserved and never filled is not resident.
  const int64_t context = runtime.config.text.max_position_embeddings;
  estimate.kv =
      lm::KvCache::bytes(runtime.config.text, std::min(rows + more_tokens, context), runtime.kv_dtype);
  estimate.work = kWideningBytes +
                  std::max(vision_work(runtime, request), prefill_work(runtime, std::min(rows, context)));
  return estimate;
}

Plan make_plan(const Runtime& runtime, const Conversation& asked, const AskOptions& options,
               bool measure_pruning, const preprocess::PartDescriber& describe) {
  Plan plan;
  Conversation conversation = asked;
  const MediaOpener opener =
      describe ? MediaOpener() : MediaOpener(fetching_once(conversation, request_options(options).limits));
  if (options.fit && options.max_ram_bytes > 0) {
    Fit fit = fewer_frames(runtime, conversation, options, opener);
    conversation = std::move(fit.conversation);
    plan.warnings = std::move(fit.changes);
  }
  const auto opening = std::chrono::steady_clock::now();
  Request request = make_request(runtime, conversation, options, opener, describe);
  const double open_seconds = seconds_since(opening);
  std::vector<std::vector<int64_t>> kept;
  if (measure_pruning || options.prune.max_tokens ||
      (!describe && pruning_decides(runtime, request, options))) {
    kept = count_kept(runtime, request, request.options.prune);
    plan.pruning_known = true;
    leave_out_missing_frames(runtime, request, kept);
  }
  plan.prune_threshold = request.options.prune.threshold;
  plan.media = describe_media(request, kept);
  const VisualCount visual = count_visual(plan.media);
  plan.visual_tokens = visual.tokens;
  plan.visual_tokens_kept = visual.kept;
  plan.patches = request.plan.total_patches;
  plan.prompt_tokens = request.max_rows() - plan.visual_tokens + plan.visual_tokens_kept;
  plan.max_position_embeddings = runtime.config.text.max_position_embeddings;
  const MemoryEstimate memory = estimate_memory(runtime, request, plan.prompt_tokens, new_tokens(options));
  plan.weight_bytes = memory.weights;
  plan.kv_bytes = memory.kv;
  plan.work_bytes = memory.work;
  plan.peak_ram_bytes = memory.total();
  plan.decode_seconds = decode_seconds(runtime, request);
  // Decoding overlaps encoding, but both want every core.
  plan.first_token_seconds =
      open_seconds + plan.decode_seconds + compute_seconds(runtime, request.plan, plan.prompt_tokens);
  plan.token_seconds = token_seconds(runtime, plan.prompt_tokens);
  const std::vector<std::string> of_media = request.warnings();
  plan.warnings.insert(plan.warnings.end(), of_media.begin(), of_media.end());
  if (plan.prompt_tokens > plan.max_position_embeddings) {
    plan.fits = false;
    plan.notes.push_back(fmt::format("{} tokens do not fit the model's context of {}", plan.prompt_tokens,
                                     plan.max_position_embeddings));
  }
  if (options.max_ram_bytes > 0 && plan.peak_ram_bytes > options.max_ram_bytes) {
    plan.fits = false;
    plan.notes.push_back(fmt::format("{} MiB are needed, --max-ram allows {} MiB",
                                     mib_needed(plan.peak_ram_bytes), options.max_ram_bytes >> 20));
  }
  return plan;
}

Fit fewer_frames(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
                 const MediaOpener& opener, uint64_t session_bytes) {
  RequestOptions inner = request_options(options);
  inner.opener = opener;
  const auto need = [&](const Conversation& tried, bool look_at_pruning) {
    const Request request = prepare_request(runtime, with_video_defaults(tried, options), inner);
    int64_t most_frames = 0;
    for (const preprocess::MediumPlan& medium : request.plan.media)
      most_frames = std::max(most_frames, medium.grid.t);
    int64_t rows = most_rows(request, options.prune);
    if (look_at_pruning && pruning_decides(runtime, request, options))
      rows = kept_rows(request, count_kept(runtime, request, request.options.prune));
    const MemoryEstimate memory = estimate_memory(runtime, request, rows, new_tokens(options));
    return std::pair(memory.total() + session_bytes, most_frames);
  };
  auto [bytes, frames] = need(conversation, /*look_at_pruning=*/true);
  Fit fit{.conversation = conversation, .wanted = bytes, .bytes = bytes, .changes = {}};
  // The remote index rule has no bound by max_frames: it may have to fall far before a frame goes.
  int64_t most = frames;
  while (options.fit && bytes > options.max_ram_bytes && most > 1) {
    most = std::max<int64_t>(1, most * 3 / 4);
    fit.conversation = with_fewer_frames(with_video_defaults(conversation, options), most);
    std::tie(bytes, frames) = need(fit.conversation, /*look_at_pruning=*/false);
  }
  fit.bytes = bytes;
  if (bytes > options.max_ram_bytes || bytes == fit.wanted) {
    fit.conversation = conversation;
  } else {
    fit.changes.push_back(
        fmt::format("max_frames lowered to {} so that {} MiB fit --max-ram ({} MiB would have been needed)",
                    most, mib_needed(bytes), mib_needed(fit.wanted)));
  }
  return fit;
}

std::vector<std::string> fit_memory(const Runtime& runtime, Conversation& conversation,
                                    const AskOptions& options, const MediaOpener& opener,
                                    uint64_t session_bytes) {
  Fit fit = fewer_frames(runtime, conversation, options, opener, session_bytes);
  VL3_CHECK(fit.bytes <= options.max_ram_bytes, kResourceExhausted,
            "about {} MiB are needed{}, --max-ram allows {} MiB; {}", mib_needed(fit.wanted),
            options.fit ? fmt::format(" ({} MiB with the fewest frames)", mib_needed(fit.bytes)) : "",
            options.max_ram_bytes >> 20,
            options.fit
                ? "raise it, or lower --max-visual-tokens or --max-tokens"
                : "raise it, lower --max-frames or --max-visual-tokens, or let --fit lower the frames");
  conversation = std::move(fit.conversation);
  for (const std::string& change : fit.changes) logger().warn("{}", change);
  return std::move(fit.changes);
}

}  // namespace vl3::engine
