#include "engine/prompt_rows.h"

#include <algorithm>

#include "core/check.h"
#include "core/log.h"

namespace vl3::engine {
namespace {

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

}  // namespace

PromptRows::PromptRows(const Runtime& runtime, Request& request, VisionMemory memory, PromptRowsHooks hooks,
                       int64_t batch_patches)
    : runtime_(runtime),
      request_(request),
      memory_(std::move(memory)),
      hooks_(std::move(hooks)),
      batch_patches_(batch_patches),
      embeddings_([this](const at::Tensor& ids) {
        return runtime_.model->language_model->embed(ids.to(runtime_.device));
      }) {
  const int64_t limit = runtime_.config.text.max_position_embeddings;
  VL3_CHECK(request_.min_rows() <= limit, kResourceExhausted,
            "the prompt has at least {} tokens, more than the model's max_position_embeddings of {}",
            request_.min_rows(), limit);
  VL3_CHECK(!request_.items.empty(), kInvalidArgument, "the conversation is empty");
  kept.resize(request_.media.size());
  masks.resize(request_.media.size());
  remembered_.resize(request_.media.size());
  fresh_.resize(request_.media.size());
  for (size_t m = 0; m < request_.media.size(); ++m) medium_keys_.push_back(key_of(m));
  start_stream();
}

std::string PromptRows::key_of(size_t m) const {
  return visual_key(request_.media[m], request_.plan.media[m], request_.options.prune);
}

// A memory may come from a file that other code wrote, or somebody else: what does not fit the plan is as if
// it were not remembered, and put() replaces it.
std::shared_ptr<const std::vector<FrameFeatures>> PromptRows::fitting(
    size_t m, std::shared_ptr<const std::vector<FrameFeatures>> frames) const {
  if (frames == nullptr) return nullptr;
  const preprocess::MediumPlan& plan = request_.plan.media[m];
  const auto fits = [&](const FrameFeatures& frame) {
    const auto ones = std::count(frame.mask.begin(), frame.mask.end(), uint8_t{1});
    const auto zeros = std::count(frame.mask.begin(), frame.mask.end(), uint8_t{0});
    const at::Tensor& x = frame.features_KD;
    return ones + zeros == plan.tokens_per_frame && frame.kept == ones && x.defined() && x.dim() == 2 &&
           x.size(0) == ones && x.size(1) == runtime_.config.text.hidden_size &&
           x.device().type() == runtime_.device.type();
  };
  if (static_cast<int64_t>(frames->size()) == plan.grid.t &&
      std::all_of(frames->begin(), frames->end(), fits))
    return frames;
  logger().warn("{}: what is remembered of it does not fit its plan; it is encoded anew",
                request_.media[m].name);
  return nullptr;
}

// Media that are not remembered go through the visual stream, in prompt order.
void PromptRows::start_stream() {
  std::vector<VisualInput> inputs;
  for (size_t m = 0; m < request_.media.size(); ++m) {
    if (!hooks_.visual && memory_.find) remembered_[m] = fitting(m, memory_.find(medium_keys_[m]));
    if (remembered_[m] != nullptr) {
      ++cached_media;
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
  stream_ = std::make_unique<VisualStream>(
      *runtime_.model, runtime_.config.preprocess, std::move(inputs), runtime_.device,
      runtime_.activation_dtype, std::move(observer),
      [this](int64_t decoded) {
        check_cancelled();
        if (hooks_.progress) hooks_.progress("decode", decoded, total_frames_);
      },
      hooks_.arrived, batch_patches_);
}

bool PromptRows::advance(int64_t rows, Wait wait) {
  const int64_t limit = runtime_.config.text.max_position_embeddings;
  bool encoded = false;
  while (next_item_ < request_.items.size() && held() < rows) {
    const PromptItem item = request_.items[next_item_];
    if (!item.is_place()) {
      add_text(item.id);
      ++next_item_;
    } else {
      if (remembered_[static_cast<size_t>(item.medium)] == nullptr) {
        const VisualStream::Next next = stream_->what_next();
        const bool encodes = next != VisualStream::Next::kGives;
        const bool stops =
            wait == Wait::kNever ? next == VisualStream::Next::kWaits || (encodes && encoded) : encodes;
        if (wait != Wait::kForFrames && stops) return encoded;
        encoded |= encodes;
      }
      next_item_ = add_frame(item) ? next_item_ + 1 : drop_rest_of(item);
    }
    VL3_CHECK(static_cast<int64_t>(ids_.size()) <= limit, kResourceExhausted,
              "the prompt has more than {} tokens, the model's max_position_embeddings; use fewer frames "
              "(--max-frames) or fewer visual tokens (--max-visual-tokens)",
              limit);
  }
  if (next_item_ >= request_.items.size()) finish();
  return encoded;
}

void PromptRows::finish() {
  if (std::exchange(finished_, true)) return;
  const std::vector<std::string> of_media = request_.warnings();
  warnings.insert(warnings.end(), of_media.begin(), of_media.end());
  if (!memory_.put) return;
  for (size_t m = 0; m < request_.media.size(); ++m) {
    if (remembered_[m] == nullptr && !fresh_[m].empty()) memory_.put(key_of(m), std::move(fresh_[m]));
  }
}

void PromptRows::add_row(int64_t id, uint64_t key, int32_t medium) {
  ids_.push_back(id);
  keys_.push_back(key);
  media_.push_back(medium);
}

// Text between two frames of a video waits for the second one: should the video break off there, the text
// goes, too.
void PromptRows::add_text(int64_t id) {
  if (inside_video_) {
    waiting_.push_back(id);
    return;
  }
  add_row(id, static_cast<uint64_t>(id), -1);
  embeddings_.push_text(id);
}

void PromptRows::release_waiting() {
  inside_video_ = false;
  for (const int64_t id : std::exchange(waiting_, {})) add_text(id);
}

// @return false when the medium broke off before this frame.
bool PromptRows::add_frame(const PromptItem& item) {
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
    ++encoded_frames;
    if (hooks_.progress) hooks_.progress("encode", encoded_frames, total_frames_);
    if (memory_.put) fresh_[m].push_back(*encoded);
    features = &*encoded;
  }
  release_waiting();
  inside_video_ = item.frame + 1 < request_.plan.media[m].grid.t;
  kept[m].push_back(features->kept);
  masks[m].push_back(features->mask);
  const uint64_t frame_key =
      mix(std::hash<std::string>{}(medium_keys_[m]), static_cast<uint64_t>(item.frame));
  for (int64_t k = 0; k < features->kept; ++k) {
    add_row(item.id, mix(frame_key, static_cast<uint64_t>(k)) | (1ull << 63), static_cast<int32_t>(m));
  }
  embeddings_.push_features(features->features_KD);
  return true;
}

// @return the index of the first item after the frames that came.
size_t PromptRows::drop_rest_of(const PromptItem& item) {
  const auto m = static_cast<size_t>(item.medium);
  VL3_CHECK(item.frame > 0, kCorrupt, "{}: no frame can be decoded", request_.media[m].name);
  warnings.push_back(fmt::format("{}: ends after {} of {} frames; going on with those",
                                 request_.media[m].name, item.frame, request_.plan.media[m].grid.t));
  logger().warn("{}", warnings.back());
  shorten(request_, runtime_, m, item.frame);
  waiting_.clear();
  inside_video_ = false;
  for (size_t i = 0; i < request_.items.size(); ++i) {
    const PromptItem& other = request_.items[i];
    if (other.medium == item.medium && other.frame == item.frame - 1) return i + 1;
  }
  VL3_FAIL(kInternal, "the shortened prompt lost its place");
}

int64_t PromptRows::most_rows() const {
  int64_t rows = request_.max_rows();
  for (size_t m = 0; m < kept.size(); ++m) {
    for (const int64_t of_frame : kept[m]) rows -= request_.plan.media[m].tokens_per_frame - of_frame;
  }
  return rows;
}

void PromptRows::repeat_last() {
  VL3_DCHECK(!ids_.empty() && media_.back() < 0);
  embeddings_.push_text(ids_.back());
}

void PromptRows::check_cancelled() const {
  VL3_CHECK(!hooks_.cancelled || !hooks_.cancelled(), kCancelled, "cancelled");
}

}  // namespace vl3::engine
