#include "engine/prefill.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>

#include "core/check.h"
#include "core/log.h"
#include "core/seconds.h"
#include "engine/prompt_rows.h"

namespace vl3::engine {
namespace {

constexpr int64_t kChunkRows = 512;

class Prefiller {
 public:
  Prefiller(const Runtime& runtime, Request& request, lm::KvCache& cache,
            const std::vector<uint64_t>& cached_keys, VisionCache& vision_cache, const PrefillHooks& hooks,
            int64_t more_rows)
      : runtime_(runtime),
        request_(request),
        cache_(cache),
        cached_keys_(cached_keys),
        hooks_(hooks),
        more_rows_(more_rows),
        rows_(runtime, request, memory_of(vision_cache), hooks_of(hooks)) {}

  PrefillResult run() {
    do {
      rows_.advance(kChunkRows, PromptRows::Wait::kForFrames);
      match();
      while (rows_.held() >= kChunkRows) step();
    } while (!rows_.whole());
    // Here and not where a medium is opened or read, which may be several times a request.
    for (const std::string& warning : request_.warnings()) logger().warn("{}", warning);
    if (computed_ == 0 && rows_.held() == 0) recompute_last();
    while (rows_.held() > 0) step();
    result_.ids = rows_.ids();
    result_.keys = rows_.keys();
    result_.kept = std::move(rows_.kept);
    result_.masks = std::move(rows_.masks);
    result_.cached_media = rows_.cached_media;
    result_.visual = rows_.visual_seconds();
    result_.warnings = std::move(rows_.warnings);
    return std::move(result_);
  }

 private:
  static VisionMemory memory_of(VisionCache& cache) {
    VisionMemory memory;
    memory.find = [&cache](const std::string& key) { return cache.find(key); };
    if (cache.max_bytes() > 0) {
      memory.put = [&cache](const std::string& key, std::vector<FrameFeatures> frames) {
        cache.put(key, std::move(frames));
      };
    }
    return memory;
  }

  static PromptRowsHooks hooks_of(const PrefillHooks& hooks) {
    PromptRowsHooks inner;
    inner.visual = hooks.visual;
    inner.cancelled = hooks.cancelled;
    if (hooks.progress) {
      inner.progress = [&hooks](const char* stage, int64_t done, int64_t total) {
        hooks.progress({stage, done, total});
      };
    }
    return inner;
  }

  // Rows that the cache holds already are only counted; the first different row cuts the cache there.
  void match() {
    const std::vector<uint64_t>& keys = rows_.keys();
    int64_t same = 0;
    for (; matching_ && looked_at_ < keys.size(); ++looked_at_, ++same) {
      if (looked_at_ < cached_keys_.size() && cached_keys_[looked_at_] == keys[looked_at_]) continue;
      matching_ = false;
      cache_.truncate(static_cast<int64_t>(looked_at_));
      cache_.reserve(
          std::min(request_.max_rows() + more_rows_, runtime_.config.text.max_position_embeddings));
      break;
    }
    rows_.skip(same);
    result_.cached_rows += same;
  }

  void step() {
    VL3_CHECK(!hooks_.cancelled || !hooks_.cancelled(), kCancelled, "cancelled");
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor x = rows_.take(kChunkRows);
    if (hooks_.embeddings) hooks_.embeddings(x.clone());
    const lm::Segment segment{0, x.size(0), &cache_};
    const at::Tensor hidden = runtime_.model->language_model->forward(x, {&segment, 1});
    if (hooks_.hidden) hooks_.hidden(hidden);
    result_.last_hidden_1D = hidden.narrow(0, hidden.size(0) - 1, 1).clone();
    computed_ += hidden.size(0);
    result_.prefill_seconds += seconds_since(start);
    if (hooks_.progress) hooks_.progress({"prefill", result_.cached_rows + computed_, rows_.most_rows()});
  }

  // The whole prompt was cached: its last row is run once more for its hidden state.
  void recompute_last() {
    cache_.truncate(static_cast<int64_t>(rows_.ids().size()) - 1);
    --result_.cached_rows;
    rows_.repeat_last();
  }

  const Runtime& runtime_;
  Request& request_;
  lm::KvCache& cache_;
  const std::vector<uint64_t>& cached_keys_;
  const PrefillHooks& hooks_;
  const int64_t more_rows_;
  PromptRows rows_;
  PrefillResult result_;
  size_t looked_at_ = 0;
  int64_t computed_ = 0;
  bool matching_ = true;
};

}  // namespace

PrefillResult prefill(const Runtime& runtime, Request& request, lm::KvCache& cache,
                      const std::vector<uint64_t>& cached_keys, VisionCache& vision_cache,
                      const PrefillHooks& hooks, int64_t more_rows) {
  const c10::InferenceMode inference;
  return Prefiller(runtime, request, cache, cached_keys, vision_cache, hooks, more_rows).run();
}

}  // namespace vl3::engine
