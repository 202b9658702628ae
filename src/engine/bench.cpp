#include "engine/bench.h"

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <span>

#include "core/check.h"
#include "core/freed_memory.h"
#include "core/process.h"
#include "core/seconds.h"
#include "engine/bench_clip.h"
#include "engine/prefill.h"
#include "engine/request.h"
#include "engine/visual_stream.h"
#include "lm/paged_decoder.h"
#include "media/video_reader.h"
#include "preprocess/patchify.h"

namespace vl3::engine {
namespace {

constexpr int64_t kDecodeTokens = 32;
constexpr int64_t kChunkRows = 512;
constexpr int kClipFrames = 48;
constexpr int kVideoFrames = 64, kVideoSide = 392;
constexpr int64_t kPageRows = 64;

double seconds_of(const std::function<void()>& work, at::Device device) {
  const auto start = std::chrono::steady_clock::now();
  work();
  if (device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device.index());
  return seconds_since(start);
}

void encode(const Runtime& runtime, int64_t t, int64_t h, int64_t w, int64_t merge) {
  const weights::VisionConfig& v = runtime.config.vision;
  const int64_t C = v.num_channels * v.patch_size * v.patch_size;
  const auto options = at::TensorOptions(runtime.activation_dtype).device(runtime.device);
  const int64_t frames = std::max<int64_t>(1, VisualStream::kBatchPatches / (h * w));
  for (int64_t done = 0; done < t; done += frames) {
    const at::Tensor pixels = at::randn({std::min(frames, t - done), h * w, C}, options);
    runtime.model->projector->forward(runtime.model->vision_model->forward(pixels, h, w, merge));
    return_freed_memory();  // as VisualStream does
  }
}

at::Tensor run_rows(const Runtime& runtime, lm::KvCache& cache, const at::Tensor& ids) {
  at::Tensor last;
  for (int64_t begin = 0; begin < ids.size(0); begin += kChunkRows) {
    const int64_t rows = std::min(kChunkRows, ids.size(0) - begin);
    const lm::Segment segment{0, rows, &cache};
    const at::Tensor x = runtime.model->language_model->embed(ids.narrow(0, begin, rows));
    const at::Tensor hidden = runtime.model->language_model->forward(x, {&segment, 1});
    last = hidden.narrow(0, rows - 1, 1);
  }
  return runtime.model->logits(last);
}

at::Tensor random_ids(const Runtime& runtime, int64_t count) {
  return at::randint(runtime.config.text.vocab_size, {count},
                     at::TensorOptions(at::kLong).device(runtime.device));
}

struct Part {
  const char* unit;
  double amount;  // of the unit in one run
  std::function<void()> run;
  bool once = false;                                       // takes minutes: neither warmed up nor repeated
  std::shared_ptr<const int64_t> prompt_tokens = nullptr;  // where pruning decides, once it has run
};

Part decode_part(const Runtime& runtime, int64_t depth) {
  runtime.prepare_decoding();
  auto cache = std::make_shared<lm::KvCache>(runtime.config.text, depth + kDecodeTokens + 1, runtime.kv_dtype,
                                             runtime.device);
  // The cache's content doesn't matter: it is filled with noise instead of being computed.
  for (int64_t layer = 0; layer < runtime.config.text.num_hidden_layers && depth > 0; ++layer) {
    const at::Tensor noise =
        at::randn({runtime.config.text.num_key_value_heads, depth, runtime.config.text.head_dim})
            .to(runtime.device);
    cache->append(layer, noise, noise);
  }
  cache->advance(depth);
  return {"tokens_per_s", kDecodeTokens, [&runtime, cache, depth] {
            at::Tensor id = random_ids(runtime, 1);
            for (int64_t i = 0; i < kDecodeTokens; ++i)
              id = at::argmax(run_rows(runtime, *cache, id)).view({1});
            cache->truncate(depth);
          }};
}

// All sequences begin at depth 0, in pages of their own.
Part batch_part(const Runtime& runtime, int64_t sequences) {
  VL3_CHECK(runtime.device.is_cpu(), kUnsupported, "decode_batch8: sequences are batched on the CPU only");
  runtime.prepare_decoding();
  static_assert(kDecodeTokens <= kPageRows);
  auto decoder = std::make_shared<lm::PagedDecoder>(*runtime.model->language_model, runtime.config.text,
                                                    runtime.model->head(), runtime.kv_dtype,
                                                    static_cast<int32_t>(sequences), kPageRows);
  std::vector<int32_t> pages(static_cast<size_t>(sequences));
  std::iota(pages.begin(), pages.end(), 0);
  return {"tokens_per_s", static_cast<double>(kDecodeTokens * sequences),
          [&runtime, decoder, pages, sequences] {
            at::Tensor ids = random_ids(runtime, sequences);
            for (int64_t i = 0; i < kDecodeTokens; ++i) {
              std::vector<lm::PagedSegment> segments;
              for (int64_t s = 0; s < sequences; ++s)
                segments.push_back({s, s + 1, i, std::span(pages).subspan(static_cast<size_t>(s), 1)});
              const at::Tensor hidden = decoder->forward(runtime.model->language_model->embed(ids), segments);
              ids = at::argmax(decoder->logits(hidden), 1);
            }
          }};
}

Part video_part(const Runtime& runtime) {
  const media::MediaData clip =
      media::media_from_bytes(make_clip(kVideoSide, kVideoSide, kVideoFrames), "the clip of the benchmark");
  ContentPart video = vl3::video_part("clip");
  video.fps = 30;
  video.max_frames = kVideoFrames;
  Message question{.role = Role::kUser, .parts = {video, text_part("What happens in the video?")}};
  auto prompt_tokens = std::make_shared<int64_t>(0);
  const auto run = [&runtime, clip, conversation = Conversation{question}, prompt_tokens] {
    RequestOptions options;
    options.opener = [&clip](const std::string&) { return clip; };
    Request request = prepare_request(runtime, conversation, options);
    lm::KvCache cache(runtime.config.text, 1, runtime.kv_dtype, runtime.device);
    VisionCache nothing(0);
    const PrefillResult prefilled =
        prefill(runtime, request, cache, /*cached_keys=*/{}, nothing, PrefillHooks(), /*more_rows=*/1);
    (void)at::argmax(runtime.model->logits(prefilled.last_hidden_1D)).item<int64_t>();
    *prompt_tokens = static_cast<int64_t>(prefilled.ids.size());
  };
  return {"frames_per_s", kVideoFrames, run, /*once=*/true, prompt_tokens};
}

Part prefill_part(const Runtime& runtime, int64_t rows) {
  return {"tokens_per_s", static_cast<double>(rows), [&runtime, rows] {
            lm::KvCache cache(runtime.config.text, rows, runtime.kv_dtype, runtime.device);
            run_rows(runtime, cache, random_ids(runtime, rows));
          }};
}

Part make_part(const Runtime& runtime, const std::string& key) {
  if (key == "encode2240") return {"patches_per_s", 2240, [&] { encode(runtime, 1, 40, 56, 1); }};
  if (key == "encode12544") return {"patches_per_s", 12544, [&] { encode(runtime, 16, 28, 28, 2); }};
  if (key == "prefill512") return prefill_part(runtime, 512);
  if (key == "prefill2048") return prefill_part(runtime, 2048);
  if (key == "decode0") return decode_part(runtime, 0);
  if (key == "decode4096") return decode_part(runtime, 4096);
  if (key == "decode_batch8") return batch_part(runtime, 8);
  if (key == "video64") return video_part(runtime);
  if (key == "video1080p") {
    auto clip = std::make_shared<const media::MediaData>(
        media::media_from_bytes(make_clip(1920, 1080, kClipFrames), "the clip of the benchmark"));
    return {"frames_per_s", kClipFrames, [clip] {
              media::VideoReader reader(*clip);
              while (reader.next() != nullptr) reader.to_rgb();
            }};
  }
  VL3_DCHECK(key == "preprocess");
  const int64_t patch = runtime.config.preprocess.patch_size;
  auto frame = std::make_shared<std::vector<uint8_t>>(1920 * 1080 * 3);
  std::iota(frame->begin(), frame->end(), uint8_t{0});
  return {"frames_per_s", 16, [frame, patch] {
            for (int i = 0; i < 16; ++i) {
              preprocess::PatchBatch batch = preprocess::make_patch_batch({patch * 40, patch * 70}, patch, 2);
              preprocess::append_frame(batch, *frame, {1080, 1920});
            }
          }};
}

}  // namespace

std::vector<std::string> bench_keys() {
  return {"video1080p",  "preprocess", "encode2240", "encode12544",   "prefill512",
          "prefill2048", "decode0",    "decode4096", "decode_batch8", "video64"};
}

OrderedJson bench(const Runtime& runtime, const BenchOptions& options) {
  const c10::InferenceMode inference;
  (void)runtime.tokenizer();
  const double ready_s = process_age_seconds();
  const std::vector<std::string> known = bench_keys();
  for (const std::string& key : options.only) {
    VL3_CHECK(std::find(known.begin(), known.end(), key) != known.end(), kInvalidArgument,
              "--only {}: expected one of {}", key, fmt::join(known, ", "));
  }
  OrderedJson result;
  for (const std::string& key : options.only.empty() ? known : options.only) {
    if (options.only.empty() && key == "decode_batch8" && !runtime.device.is_cpu()) continue;
    const Part part = make_part(runtime, key);
    const int repeats = part.once ? 1 : options.repeats;
    if (!part.once) part.run();
    std::vector<double> seconds;
    for (int i = 0; i < repeats; ++i) seconds.push_back(seconds_of(part.run, runtime.device));
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    const size_t middle = sorted.size() / 2;
    const double median = sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    result[key] = {
        {part.unit, part.amount / median}, {"median_s", median}, {"seconds", seconds}, {"repeats", repeats}};
    if (part.prompt_tokens) result[key]["prompt_tokens"] = *part.prompt_tokens;
  }
  result["load_s"] = runtime.load_seconds;
  result["ready_s"] = ready_s;
  result["peak_rss_bytes"] = vl3::peak_rss_bytes();
  result["threads"] = at::get_num_threads();
  result["dtype"] = runtime.weight_dtype == at::kBFloat16 ? "bfloat16" : "float32";
  result["kv_cache_dtype"] = runtime.kv_dtype == at::kChar ? "int8" : result["dtype"].get<std::string>();
  result["device"] = runtime.device.str();
  return result;
}

}  // namespace vl3::engine
