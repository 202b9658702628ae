#include "engine/prompt_lookup.h"

#include <algorithm>

namespace vl3::engine {
namespace {

// Tokens that must repeat before anything is guessed.
constexpr size_t kNgram = 3;

}  // namespace

PromptLookup::PromptLookup(std::span<const int64_t> prompt, int64_t max_draft)
    : max_draft_(max_draft), length_(std::min<int64_t>(max_draft, 2)) {
  if (max_draft_ == 0) return;
  ids_.reserve(prompt.size());
  for (const int64_t id : prompt) push(id);
}

uint64_t PromptLookup::key(size_t end) const {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = end - kNgram; i < end; ++i) hash = (hash ^ static_cast<uint64_t>(ids_[i])) * 0x100000001b3;
  return hash;
}

void PromptLookup::push(int64_t id) {
  if (max_draft_ == 0) return;
  if (ids_.size() >= kNgram) follower_[key(ids_.size())] = ids_.size();
  ids_.push_back(id);
}

std::vector<int64_t> PromptLookup::draft(int64_t most) {
  if (max_draft_ == 0 || ids_.size() < kNgram) return {};
  const auto found = follower_.find(key(ids_.size()));
  if (found == follower_.end()) return {};
  const size_t from = found->second;
  if (!std::equal(ids_.end() - kNgram, ids_.end(), ids_.begin() + static_cast<int64_t>(from - kNgram)))
    return {};
  const auto count = std::min<int64_t>({most, length_, static_cast<int64_t>(ids_.size() - from)});
  if (count <= 0) return {};
  return {ids_.begin() + static_cast<int64_t>(from), ids_.begin() + static_cast<int64_t>(from) + count};
}

void PromptLookup::accepted(int64_t right, int64_t of) {
  drafted_ += of;
  accepted_ += right;
  length_ = right == of ? std::min(max_draft_, length_ * 2) : std::max<int64_t>(1, right);
}

}  // namespace vl3::engine
