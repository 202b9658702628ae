#include "engine/memory_plan.h"

#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "core/check.h"
#include "core/log.h"
#include "engine/engine_impl.h"
#include "engine/prune_scan.h"
#include "engine/still_memory.h"
#include "engine/visual_count.h"
#include "ops/linear.h"
#include "preprocess/patchify.h"

namespace vl3::engine {
namespace {

constexpr uint64_t kFloat = 4;
constexpr int64_t kBatchPatches = 3072;  // as VisualStream batches
constexpr int64_t kMlpRows = 4096;       // as the encoder blocks its MLP
constexpr int64_t kChunkRows = 512;      // as prefill() chunks
constexpr uint64_t kQueueBytes = 16 << 20;
constexpr uint64_t kWideningBytes = 16 << 20;  // ops::linear's scratch for bfloat16 weights
constexpr int64_t kFramesInDecoder = 12;       // references and threading of one video decoder
constexpr int64_t kPicturesOnTheirWay = 4;  // in the reader's queue, one being converted, one being resized
constexpr double kMeasureSeconds = 0.5;     // of decoding, a request
constexpr int64_t kMeasureFrames = 24;      // of one video
constexpr double kStillPixelsPerSecond =
    40e6;  // decoding and resizing a picture; formats differ by a factor of two

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

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
  return pixels * 3 * kPicturesOnTheirWay + pixels * 3 / 2 * kFramesInDecoder + resizing;
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

double measured_flops() {
  const c10::InferenceMode inference;
  const at::Tensor x = at::randn({256, 1024}), weight = at::randn({2048, 1024});
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    ops::linear(x, weight);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * 256 * 1024 * 2048 / seconds);
  }
  return best;
}

double prefill_flops(const weights::TextConfig& t, int64_t rows) {
  const double layer = t.hidden_size * (2.0 * t.num_attention_heads * t.head_dim +
                                        2.0 * t.num_key_value_heads * t.head_dim + 3.0 * t.intermediate_size);
  const double attention = 2.0 * t.num_attention_heads * t.head_dim * rows;  // causal: half of all pairs
  return rows * t.num_hidden_layers * (2.0 * layer + attention) + 2.0 * t.hidden_size * t.vocab_size;
}

double encode_flops(const weights::VisionConfig& v, const preprocess::VisualPlan& plan) {
  double total = 0;
  for (const preprocess::MediumPlan& medium : plan.media) {
    const double frame = static_cast<double>(medium.grid.h * medium.grid.w);
    const double patch =
        v.num_hidden_layers * (2.0 * v.hidden_size * (4.0 * v.hidden_size + 2.0 * v.intermediate_size) +
                               4.0 * v.hidden_size * frame);
    total += patch * frame * static_cast<double>(medium.grid.t);
  }
  return total;
}

// Decoding and resizing all frames, from the first few of each video: sparse choices are reached by seeking,
// so the cost of one depends on the file.
double decode_seconds(const Runtime& runtime, const Request& request) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double total = 0;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    const double pixels = static_cast<double>(plan.shape.size.height * plan.shape.size.width);
    const auto frames = static_cast<double>(plan.grid.t);
    if (plan.shape.kind == preprocess::MediaKind::kImage) {
      total += pixels / kStillPixelsPerSecond;
      continue;
    }
    const double begin = elapsed();
    const media::FrameSource source = request.media[m].open();
    double first = 0;
    int64_t done = 0;
    while (done < std::min(plan.grid.t, kMeasureFrames) &&
           (done < 2 || elapsed() - begin < kMeasureSeconds)) {
      const std::optional<media::Frame> picture = source();
      if (!picture) break;
      preprocess::PatchBatch batch =
          preprocess::make_patch_batch(plan.size, runtime.config.preprocess.patch_size, plan.merge);
      preprocess::append_frame(batch, picture->rgb, {picture->height, picture->width});
      if (++done == 1) first = elapsed() - begin;
    }
    // The first one pays for opening the decoder.
    const double rest = elapsed() - begin - first;
    total += first + (done > 1 ? rest / static_cast<double>(done - 1) * (frames - 1) : 0);
  }
  return total;
}

bool has_media(const Request& request) { return !request.media.empty(); }

}  // namespace

MemoryEstimate estimate_memory(const Runtime& runtime, const Request& request, int64_t rows,
                               int64_t more_tokens) {
  MemoryEstimate estimate;
  estimate.before = resident_bytes();
  const auto& packed = runtime.packed_weights();
  if (runtime.weights_are_mapped() || !packed.empty()) {
    for (const weights::ExpectedTensor& tensor : runtime.checkpoint->tensors()) {
      const bool visual =
          tensor.name.starts_with("model.vision_model.") || tensor.name.starts_with("model.projector.");
      // Of an untied embedding table only the prompt's rows are read.
      const bool rows_only =
          !runtime.config.text.tie_word_embeddings && tensor.name.ends_with("embed_tokens.weight");
      if (const auto found = packed.find(tensor.name); found != packed.end()) {
        // Packed as a whole, once: what is there already counts as weights, not as what was before.
        const uint64_t bytes = found->second->bytes();
        const bool ready = found->second->ready();
        if (ready) estimate.before -= std::min(estimate.before, bytes);
        if (ready || !visual || has_media(request)) estimate.weights += bytes;
        continue;
      }
      if ((visual && !has_media(request)) || rows_only || !runtime.weights_are_mapped()) continue;
      estimate.weights += runtime.checkpoint->view(tensor.name).size_bytes;
    }
  }
  estimate.kv = lm::KvCache::bytes(runtime.config.text, rows + more_tokens, runtime.weight_dtype);
  estimate.work = kWideningBytes + std::max(vision_work(runtime, request), prefill_work(runtime, rows));
  return estimate;
}

Plan make_plan(const Runtime& runtime, const Conversation& conversation, const AskOptions& asked,
               bool measure_pruning, const preprocess::PartDescriber& describe) {
  Plan plan;
  AskOptions options = asked;
  const MediaOpener opener =
      describe ? MediaOpener() : MediaOpener(fetching_once(conversation, request_options(options).limits));
  if (options.fit && options.max_ram_bytes > 0) {
    Fit fit = fewer_frames(runtime, conversation, options, opener);
    options = std::move(fit.options);
    plan.warnings = std::move(fit.changes);
  }
  const auto opening = std::chrono::steady_clock::now();
  Request request = make_request(runtime, conversation, options, opener, describe);
  const double open_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - opening).count();
  // Before anything is decoded: the pictures that plan() itself looks at are not part of what an ask holds.
  const MemoryEstimate memory = estimate_memory(runtime, request, request.max_rows(), new_tokens(options));
  std::vector<std::vector<int64_t>> kept;
  if (measure_pruning || options.prune.max_tokens) {
    kept = count_kept(runtime, request, request.options.prune);
    plan.pruning_known = true;
  }
  plan.prune_threshold = request.options.prune.threshold;
  plan.media = describe_media(request, kept);
  const VisualCount visual = count_visual(plan.media);
  plan.visual_tokens = visual.tokens;
  plan.visual_tokens_kept = visual.kept;
  plan.patches = request.plan.total_patches;
  plan.prompt_tokens = request.max_rows() - plan.visual_tokens + plan.visual_tokens_kept;
  plan.max_position_embeddings = runtime.config.text.max_position_embeddings;
  // The cache is reserved before pruning is known.
  plan.weight_bytes = memory.weights;
  plan.kv_bytes = memory.kv;
  plan.work_bytes = memory.work;
  plan.peak_ram_bytes = memory.total();
  const double flops = measured_flops();
  plan.decode_seconds = decode_seconds(runtime, request);
  // Decoding overlaps encoding, but both want every core.
  plan.first_token_seconds = open_seconds + plan.decode_seconds +
                             (encode_flops(runtime.config.vision, request.plan) +
                              prefill_flops(runtime.config.text, plan.prompt_tokens)) /
                                 flops;
  if (plan.prompt_tokens > plan.max_position_embeddings) {
    plan.fits = false;
    plan.notes.push_back(fmt::format("{} tokens do not fit the model's context of {}", plan.prompt_tokens,
                                     plan.max_position_embeddings));
  }
  if (options.max_ram_bytes > 0 && plan.peak_ram_bytes > options.max_ram_bytes) {
    plan.fits = false;
    plan.notes.push_back(fmt::format("{} MiB are needed, --max-ram allows {} MiB", plan.peak_ram_bytes >> 20,
                                     options.max_ram_bytes >> 20));
  }
  return plan;
}

Fit fewer_frames(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
                 const MediaOpener& opener) {
  const auto need = [&](const AskOptions& tried) {
    RequestOptions inner = request_options(tried);
    inner.opener = opener;
    const Request request = prepare_request(runtime, with_video_defaults(conversation, tried), inner);
    int64_t most_frames = 0;
    for (const preprocess::MediumPlan& medium : request.plan.media)
      most_frames = std::max(most_frames, medium.grid.t);
    const MemoryEstimate memory = estimate_memory(runtime, request, request.max_rows(), new_tokens(tried));
    return std::pair(memory.total(), most_frames);
  };
  auto [bytes, frames] = need(options);
  Fit fit{.options = options, .wanted = bytes, .bytes = bytes, .changes = {}};
  AskOptions& tried = fit.options;
  while (options.fit && bytes > options.max_ram_bytes && frames > 1) {
    tried.max_frames = std::max<int64_t>(1, frames * 3 / 4);
    const auto [less, fewer] = need(tried);
    if (fewer >= frames) break;  // frames given one by one cannot be thinned out
    bytes = less;
    frames = fewer;
  }
  fit.bytes = bytes;
  if (bytes > options.max_ram_bytes || bytes == fit.wanted) {
    tried = options;
  } else {
    fit.changes.push_back(
        fmt::format("max_frames lowered to {} so that {} MiB fit --max-ram ({} MiB would have been needed)",
                    frames, bytes >> 20, fit.wanted >> 20));
  }
  return fit;
}

std::vector<std::string> fit_memory(const Runtime& runtime, const Conversation& conversation,
                                    AskOptions& options, const MediaOpener& opener) {
  Fit fit = fewer_frames(runtime, conversation, options, opener);
  const uint64_t bytes = fit.bytes, wanted = fit.wanted;
  VL3_CHECK(bytes <= options.max_ram_bytes, kResourceExhausted,
            "about {} MiB are needed{}, --max-ram allows {} MiB; {}", wanted >> 20,
            options.fit ? fmt::format(" ({} MiB with the fewest frames)", bytes >> 20) : "",
            options.max_ram_bytes >> 20,
            options.fit
                ? "raise it, or lower --max-visual-tokens or --max-tokens"
                : "raise it, lower --max-frames or --max-visual-tokens, or let --fit lower the frames");
  options = std::move(fit.options);
  for (const std::string& change : fit.changes) logger().warn("{}", change);
  return std::move(fit.changes);
}

}  // namespace vl3::engine
