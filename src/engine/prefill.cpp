#include "engine/prefill.h"

#include <c10/core/InferenceMode.h>

#include <chrono>
#include <functional>

#include "core/check.h"
#include "core/log.h"
#include "fuse/embedding_stream.h"

namespace vl3::engine {
namespace {

constexpr int64_t kChunkRows = 512;

uint64_t mix(uint64_t a, uint64_t b) {  // SplitMix64's finaliser over the pair
  uint64_t x = a * 0x9e3779b97f4a7c15ull + b + 0x632be59bd9b4e019ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// Content, chosen frames, size and pruning: what a medium's visual tokens depend on.
std::string visual_key(const preprocess::MediaEntry& entry, const preprocess::MediumPlan& plan,
                       const preprocess::PruneOptions& prune) {
  return fmt::format("{}|{}x{}x{}m{}|{}:{}:{}:{}", entry.key, plan.grid.t, plan.grid.h, plan.grid.w,
                     plan.merge, prune.enabled ? static_cast<int>(*prune.enabled) : -1, prune.threshold,
                     static_cast<int>(prune.reference), prune.min_tokens);
}

class Prefiller {
 public:
  Prefiller(const Runtime& runtime, Request& request, lm::KvCache& cache,
            const std::vector<uint64_t>& cached_keys, VisionCache& vision_cache, const PrefillHooks& hooks,
            int64_t more_rows)
      : runtime_(runtime),
        request_(request),
        cache_(cache),
        cached_keys_(cached_keys),
        vision_cache_(vision_cache),
        hooks_(hooks),
        more_rows_(more_rows),
        embeddings_([this](const at::Tensor& ids) {
          return runtime_.model->language_model->embed(ids.to(runtime_.device));
        }) {}

  PrefillResult run() {
    const int64_t limit = runtime_.config.text.max_position_embeddings;
    VL3_CHECK(request_.min_rows() <= limit, kResourceExhausted,
              "the prompt has at least {} tokens, more than the model's max_position_embeddings of {}",
              request_.min_rows(), limit);
    result_.kept.resize(request_.media.size());
    result_.masks.resize(request_.media.size());
    remembered_.resize(request_.media.size(), nullptr);
    fresh_.resize(request_.media.size());
    for (size_t m = 0; m < request_.media.size(); ++m) keys_.push_back(key_of(m));
    start_stream();
    for (size_t i = 0; i < request_.items.size();) {
      const PromptItem item = request_.items[i];
      if (!item.is_place()) {
        add_text(item.id);
        ++i;
      } else if (add_frame(item)) {
        ++i;
      } else {
        i = drop_rest_of(item);
      }
      VL3_CHECK(static_cast<int64_t>(result_.ids.size()) <= limit, kResourceExhausted,
                "the prompt has more than {} tokens, the model's max_position_embeddings; use fewer frames "
                "(--max-frames) or fewer visual tokens (--max-visual-tokens)",
                limit);
      while (embeddings_.rows() >= kChunkRows) step();
    }
    if (computed_ == 0 && embeddings_.rows() == 0) recompute_last();
    while (embeddings_.rows() > 0) step();
    if (stream_) result_.visual = stream_->seconds();
    for (const preprocess::MediaEntry& medium : request_.media) {
      const std::vector<std::string> warnings = medium.warnings->list();
      result_.warnings.insert(result_.warnings.end(), warnings.begin(), warnings.end());
    }
    remember();
    return std::move(result_);
  }

 private:
  std::string key_of(size_t m) const {
    return visual_key(request_.media[m], request_.plan.media[m], request_.options.prune);
  }

  // Media that are not remembered go through the visual stream, in prompt order.
  void start_stream() {
    std::vector<VisualInput> inputs;
    for (size_t m = 0; m < request_.media.size(); ++m) {
      if (!hooks_.visual) remembered_[m] = vision_cache_.find(keys_[m]);
      if (remembered_[m] != nullptr) {
        ++result_.cached_media;
        continue;
      }
      inputs.push_back({request_.plan.media[m], request_.media[m].open, request_.options.prune});
      total_frames_ += request_.plan.media[m].grid.t;
      stream_media_.push_back(m);
    }
    if (inputs.empty()) return;
    VisualObserver observer;
    if (hooks_.visual) {
      observer = [this](const char* name, size_t medium, int64_t frame, const at::Tensor& tensor) {
        hooks_.visual(name, stream_media_[medium], frame, tensor);
      };
    }
    stream_ = std::make_unique<VisualStream>(*runtime_.model, runtime_.config.preprocess, std::move(inputs),
                                             runtime_.device, runtime_.activation_dtype, std::move(observer),
                                             [this](int64_t decoded) {
                                               check_cancelled();
                                               if (hooks_.progress)
                                                 hooks_.progress({"decode", decoded, total_frames_});
                                             });
  }

  // Rows that the cache holds already are only counted; the first different row cuts the cache there.
  template <typename Push>
  void add_row(int64_t id, uint64_t key, const Push& push) {
    const size_t row = result_.ids.size();
    result_.ids.push_back(id);
    result_.keys.push_back(key);
    if (matching_ && row < cached_keys_.size() && cached_keys_[row] == key) {
      ++result_.cached_rows;
      return;
    }
    stop_matching(static_cast<int64_t>(row));
    push();
  }

  void stop_matching(int64_t row) {
    if (!matching_) return;
    matching_ = false;
    cache_.truncate(row);
    cache_.reserve(request_.max_rows() + more_rows_);
  }

  // Text between two frames of a video waits for the second one: should the video break off there, the text
  // goes, too.
  void add_text(int64_t id) {
    if (inside_video_) {
      waiting_.push_back(id);
    } else {
      add_row(id, static_cast<uint64_t>(id), [&] { embeddings_.push_text(id); });
    }
  }

  void release_waiting() {
    inside_video_ = false;
    for (const int64_t id : waiting_) add_text(id);
    waiting_.clear();
  }

  // @return false when the medium broke off before this frame.
  bool add_frame(const PromptItem& item) {
    const auto m = static_cast<size_t>(item.medium);
    const FrameFeatures* features = nullptr;
    std::optional<FrameFeatures> encoded;
    if (remembered_[m] != nullptr) {
      features = &(*remembered_[m])[static_cast<size_t>(item.frame)];
    } else {
      check_cancelled();
      try {
        encoded = stream_->next();
      } catch (const Error& error) {
        if (std::string_view(error.what()).starts_with(request_.media[m].name)) throw;  // says it already
        throw error.with_context(request_.media[m].name);
      }
      if (!encoded) return false;
      VL3_DCHECK(stream_media_[encoded->medium] == m && encoded->frame == item.frame);
      if (hooks_.progress) hooks_.progress({"encode", ++encoded_frames_, total_frames_});
      if (vision_cache_.max_bytes() > 0) fresh_[m].push_back(*encoded);
      features = &*encoded;
    }
    release_waiting();
    inside_video_ = item.frame + 1 < request_.plan.media[m].grid.t;
    result_.kept[m].push_back(features->kept);
    result_.masks[m].push_back(features->mask);
    const uint64_t frame_key = mix(std::hash<std::string>{}(keys_[m]), static_cast<uint64_t>(item.frame));
    int64_t skip = 0;
    for (int64_t k = 0; k < features->kept; ++k) {
      const bool before = matching_;
      add_row(item.id, mix(frame_key, static_cast<uint64_t>(k)) | (1ull << 63), [] {});
      if (before && matching_) ++skip;
    }
    if (skip < features->kept) {
      embeddings_.push_features(features->features_KD.narrow(0, skip, features->kept - skip));
    }
    return true;
  }

  // @return the index of the first item after the frames that came.
  size_t drop_rest_of(const PromptItem& item) {
    const auto m = static_cast<size_t>(item.medium);
    VL3_CHECK(item.frame > 0, kCorrupt, "{}: no frame can be decoded", request_.media[m].name);
    result_.warnings.push_back(fmt::format("{}: ends after {} of {} frames; going on with those",
                                           request_.media[m].name, item.frame,
                                           request_.plan.media[m].grid.t));
    logger().warn("{}", result_.warnings.back());
    shorten(request_, runtime_, m, item.frame);
    waiting_.clear();
    inside_video_ = false;
    for (size_t i = 0; i < request_.items.size(); ++i) {
      const PromptItem& other = request_.items[i];
      if (other.medium == item.medium && other.frame == item.frame - 1) return i + 1;
    }
    VL3_FAIL(kInternal, "the shortened prompt lost its place");
  }

  void step() {
    check_cancelled();
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor x = embeddings_.take(kChunkRows);
    if (hooks_.embeddings) hooks_.embeddings(x.clone());
    const lm::Segment segment{0, x.size(0), &cache_};
    const at::Tensor hidden = runtime_.model->language_model->forward(x, {&segment, 1});
    if (hooks_.hidden) hooks_.hidden(hidden);
    result_.last_hidden_1D = hidden.narrow(0, hidden.size(0) - 1, 1).clone();
    computed_ += hidden.size(0);
    result_.prefill_seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (hooks_.progress) hooks_.progress({"prefill", result_.cached_rows + computed_, request_.max_rows()});
  }

  // The whole prompt was cached: its last row is run once more for its hidden state.
  void recompute_last() {
    VL3_CHECK(!result_.ids.empty(), kInvalidArgument, "the conversation is empty");
    VL3_DCHECK(!(result_.keys.back() >> 63));
    cache_.truncate(static_cast<int64_t>(result_.ids.size()) - 1);
    matching_ = false;
    --result_.cached_rows;
    embeddings_.push_text(result_.ids.back());
  }

  void remember() {
    for (size_t m = 0; m < request_.media.size(); ++m) {
      if (remembered_[m] == nullptr && !fresh_[m].empty()) vision_cache_.put(key_of(m), std::move(fresh_[m]));
    }
  }

  void check_cancelled() const {
    VL3_CHECK(!hooks_.cancelled || !hooks_.cancelled(), kCancelled, "cancelled");
  }

  const Runtime& runtime_;
  Request& request_;
  lm::KvCache& cache_;
  const std::vector<uint64_t>& cached_keys_;
  VisionCache& vision_cache_;
  const PrefillHooks& hooks_;
  const int64_t more_rows_;
  fuse::EmbeddingStream embeddings_;
  PrefillResult result_;
  std::vector<std::string> keys_;
  std::vector<const std::vector<FrameFeatures>*> remembered_;
  std::vector<std::vector<FrameFeatures>> fresh_;
  std::vector<size_t> stream_media_;
  std::unique_ptr<VisualStream> stream_;
  int64_t total_frames_ = 0, encoded_frames_ = 0, computed_ = 0;
  bool matching_ = true;
  bool inside_video_ = false;
  std::vector<int64_t> waiting_;
};

}  // namespace

PrefillResult prefill(const Runtime& runtime, Request& request, lm::KvCache& cache,
                      const std::vector<uint64_t>& cached_keys, VisionCache& vision_cache,
                      const PrefillHooks& hooks, int64_t more_rows) {
  const c10::InferenceMode inference;
  return Prefiller(runtime, request, cache, cached_keys, vision_cache, hooks, more_rows).run();
}

}  // namespace vl3::engine
