#include "engine/memory_plan.h"

#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "core/check.h"
#include "engine/engine_impl.h"
#include "engine/prune_scan.h"
#include "ops/linear.h"

namespace vl3::engine {
namespace {

constexpr uint64_t kFloat = 4;
constexpr int64_t kBatchPatches = 3072;  // as VisualStream batches
constexpr int64_t kMlpRows = 4096;       // as the encoder blocks its MLP
constexpr int64_t kChunkRows = 512;      // as prefill() chunks
constexpr uint64_t kQueueBytes = 32 << 20;
constexpr uint64_t kWideningBytes = 16 << 20;  // ops::linear's scratch for bfloat16 weights
constexpr int64_t kFramesInDecoder = 12;       // reference, threading and queue of one video decoder

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

uint64_t vision_work(const Runtime& runtime, const Request& request) {
  const weights::VisionConfig& v = runtime.config.vision;
  const uint64_t D = v.hidden_size, F = v.intermediate_size, C = 3 * v.patch_size * v.patch_size;
  uint64_t most = 0;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    const int64_t frame = plan.grid.h * plan.grid.w;
    const int64_t batch =
        std::min(plan.grid.t, std::max<int64_t>(1, kBatchPatches / std::max<int64_t>(1, frame)));
    const uint64_t patches = frame * batch;
    // x, its norm, q, k, v, their rotated copies, the attention's result: about ten rows of D a patch.
    const uint64_t activations =
        patches * (2 * C * kFloat + 10 * D * kFloat) + 2 * std::min<uint64_t>(patches, kMlpRows) * F * kFloat;
    const uint64_t pixels = static_cast<uint64_t>(plan.shape.size.height) * plan.shape.size.width;
    const bool video = plan.shape.kind == preprocess::MediaKind::kVideo;
    const uint64_t decoding = video ? pixels * 3 * 4 + pixels * 3 / 2 * kFramesInDecoder : pixels * 3 * 2;
    const uint64_t queued = std::min<uint64_t>(kQueueBytes, plan.patches() * C) + frame * C;
    const uint64_t features = patches * runtime.config.text.hidden_size * kFloat;
    most = std::max(most, activations + decoding + queued + features);
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

bool has_media(const Request& request) { return !request.media.empty(); }

}  // namespace

MemoryEstimate estimate_memory(const Runtime& runtime, const Request& request, int64_t rows,
                               int64_t more_tokens) {
  MemoryEstimate estimate;
  estimate.before = resident_bytes();
  const bool mapped = runtime.device.is_cpu() && [&] {
    const auto stored = runtime.checkpoint->dtype();
    return (stored == weights::DType::kBF16 && runtime.weight_dtype == at::kBFloat16) ||
           (stored == weights::DType::kF32 && runtime.weight_dtype == at::kFloat);
  }();
  if (mapped) {
    for (const weights::ExpectedTensor& tensor : runtime.checkpoint->tensors()) {
      const bool visual =
          tensor.name.starts_with("model.vision_model.") || tensor.name.starts_with("model.projector.");
      // Of an untied embedding table only the prompt's rows are read.
      const bool rows_only =
          !runtime.config.text.tie_word_embeddings && tensor.name.ends_with("embed_tokens.weight");
      if ((visual && !has_media(request)) || rows_only) continue;
      estimate.weights += runtime.checkpoint->view(tensor.name).size_bytes;
    }
  }
  estimate.kv = lm::KvCache::bytes(runtime.config.text, rows + more_tokens, runtime.weight_dtype);
  estimate.work = kWideningBytes + std::max(vision_work(runtime, request), prefill_work(runtime, rows));
  return estimate;
}

Plan make_plan(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
               bool measure_pruning) {
  Request request = make_request(runtime, conversation, options);
  Plan plan;
  std::vector<std::vector<int64_t>> kept;
  if (measure_pruning || options.prune.max_tokens) {
    kept = count_kept(runtime, request, request.options.prune);
    plan.pruning_known = true;
  }
  plan.prune_threshold = request.options.prune.threshold;
  plan.media = describe_media(request, kept);
  for (const MediumReceipt& medium : plan.media) {
    for (const FrameReceipt& frame : medium.frames) {
      plan.visual_tokens += frame.tokens;
      plan.visual_tokens_kept += frame.kept;
    }
  }
  plan.patches = request.plan.total_patches;
  plan.prompt_tokens = request.max_rows() - plan.visual_tokens + plan.visual_tokens_kept;
  plan.max_position_embeddings = runtime.config.text.max_position_embeddings;
  // The cache is reserved before pruning is known.
  const MemoryEstimate memory = estimate_memory(runtime, request, request.max_rows(), new_tokens(options));
  plan.weight_bytes = memory.weights;
  plan.kv_bytes = memory.kv;
  plan.work_bytes = memory.work;
  plan.peak_ram_bytes = memory.total();
  const double flops = measured_flops();
  plan.first_token_seconds = (encode_flops(runtime.config.vision, request.plan) +
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

std::vector<std::string> fit_memory(const Runtime& runtime, const Conversation& conversation,
                                    AskOptions& options) {
  const auto need = [&](const AskOptions& tried) {
    const Request request =
        prepare_request(runtime, with_video_defaults(conversation, tried), request_options(tried));
    int64_t most_frames = 0;
    for (const preprocess::MediumPlan& medium : request.plan.media)
      most_frames = std::max(most_frames, medium.grid.t);
    const MemoryEstimate memory = estimate_memory(runtime, request, request.max_rows(), new_tokens(tried));
    return std::pair(memory.total(), most_frames);
  };
  auto [bytes, frames] = need(options);
  if (bytes <= options.max_ram_bytes) return {};
  const uint64_t wanted = bytes;
  AskOptions tried = options;
  while (options.fit && bytes > options.max_ram_bytes && frames > 1) {
    tried.max_frames = std::max<int64_t>(1, frames * 3 / 4);
    const auto [less, fewer] = need(tried);
    if (fewer >= frames) break;  // frames given one by one cannot be thinned out
    bytes = less;
    frames = fewer;
  }
  VL3_CHECK(bytes <= options.max_ram_bytes, kResourceExhausted,
            "about {} MiB are needed{}, --max-ram allows {} MiB; {}", wanted >> 20,
            options.fit ? fmt::format(" ({} MiB with the fewest frames)", bytes >> 20) : "",
            options.max_ram_bytes >> 20,
            options.fit
                ? "raise it, or lower --max-visual-tokens or --max-tokens"
                : "raise it, lower --max-frames or --max-visual-tokens, or let --fit lower the frames");
  options = tried;
  return {fmt::format("max_frames lowered to {} so that {} MiB fit --max-ram ({} MiB would have been needed)",
                      frames, bytes >> 20, wanted >> 20)};
}

}  // namespace vl3::engine
