#include "preprocess/compression_mask.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace vl3::preprocess {

TokenPruner::TokenPruner(const weights::PreprocessConfig& config, int64_t merge, int64_t tokens_per_frame,
                         const PruneOptions& options)
    : difference_(config, merge),
      options_(options),
      tokens_per_frame_(tokens_per_frame),
      enabled_(options.enabled.value_or(config.use_token_compression)),
      limit_(difference_.limit(options.threshold)) {
  VL3_CHECK(tokens_per_frame >= 1, kInvalidArgument, "a frame of {} tokens cannot be pruned",
            tokens_per_frame);
  VL3_CHECK(options.min_tokens >= 0 && options.min_tokens <= tokens_per_frame, kInvalidArgument,
            "min_tokens = {} of a frame is outside 0..{}", options.min_tokens, tokens_per_frame);
  mask_.resize(static_cast<size_t>(tokens_per_frame));
}

std::span<const uint8_t> TokenPruner::next(std::span<const uint8_t> patches) {
  const int64_t bytes = tokens_per_frame_ * difference_.token_bytes();
  VL3_CHECK(patches.size() == static_cast<size_t>(bytes), kInvalidArgument,
            "a frame of {} tokens has {} bytes of patches, found {}", tokens_per_frame_, bytes,
            patches.size());
  if (enabled_ && !reference_.empty()) {
    compare(patches.data());
  } else {
    std::ranges::fill(mask_, uint8_t{1});
    if (enabled_) reference_.assign(patches.begin(), patches.end());
  }
  kept_ += std::ranges::count(mask_, uint8_t{1});
  return mask_;
}

void TokenPruner::compare(const uint8_t* patches) {
  const int64_t token_bytes = difference_.token_bytes();
  differences_.resize(mask_.size());
  for (size_t j = 0; j < mask_.size(); ++j) {
    const int64_t offset = static_cast<int64_t>(j) * token_bytes;
    differences_[j] = difference_.sum(patches + offset, reference_.data() + offset);
    mask_[j] = differences_[j] > limit_ ? 1 : 0;
  }
  if (std::ranges::count(mask_, uint8_t{1}) < options_.min_tokens) {
    std::fill_n(mask_.begin(), options_.min_tokens, uint8_t{1});
  }
  for (size_t j = 0; j < mask_.size(); ++j) {
    if (options_.reference == PruneReference::kLastKept && mask_[j] == 0) continue;
    const int64_t offset = static_cast<int64_t>(j) * token_bytes;
    std::memcpy(reference_.data() + offset, patches + offset, static_cast<size_t>(token_bytes));
  }
}

std::vector<uint8_t> compression_mask(const PatchBatch& batch, const weights::PreprocessConfig& config,
                                      const PruneOptions& options) {
  TokenPruner pruner(config, batch.merge, batch.tokens_per_frame(), options);
  std::vector<uint8_t> mask;
  mask.reserve(static_cast<size_t>(batch.grid.t * batch.tokens_per_frame()));
  for (int64_t t = 0; t < batch.grid.t; ++t) {
    const std::span<const uint8_t> frame = pruner.next(batch.frame(t));
    mask.insert(mask.end(), frame.begin(), frame.end());
  }
  return mask;
}

}  // namespace vl3::preprocess
