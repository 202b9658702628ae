#include "sampling/stop.h"

#include <algorithm>
#include <limits>

#include "core/check.h"

namespace vl3::sampling {

const char* finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kRepetition:
      return "repetition";
  }
  return "unknown";
}

LoopGuard::LoopGuard(const LoopGuardOptions& options) : options_(options) {
  if (!options_.enabled) return;
  VL3_CHECK(options_.max_span >= 1 && options_.max_span <= 1024, kInvalidArgument,
            "loop_guard.max_span must be between 1 and 1024, found {}", options_.max_span);
  VL3_CHECK(options_.min_repeats >= 2 && options_.min_repeats <= 1'000'000, kInvalidArgument,
            "loop_guard.min_repeats must be between 2 and 1000000, found {}", options_.min_repeats);
  VL3_CHECK(options_.min_tokens >= 0, kInvalidArgument, "loop_guard.min_tokens must be 0 or more, found {}",
            options_.min_tokens);
  recent_.resize(static_cast<size_t>(options_.max_span));
  equal_.resize(recent_.size());
}

std::optional<LoopGuard::Loop> LoopGuard::push(int64_t id) {
  if (!options_.enabled) return std::nullopt;
  std::optional<Loop> found;
  const int64_t ring = options_.max_span;
  for (int64_t span = 1; span <= std::min(ring, count_); ++span) {
    int64_t& equal = equal_[static_cast<size_t>(span - 1)];
    equal = recent_[static_cast<size_t>((count_ - span) % ring)] == id ? equal + 1 : 0;
    const int64_t covered = equal + span;  // the first span stands before those counted
    if (!found && covered >= options_.min_tokens && covered / span >= options_.min_repeats) {
      found = Loop{span, covered / span};
    }
  }
  recent_[static_cast<size_t>(count_ % ring)] = id;
  ++count_;
  return found;
}

StopCondition::StopCondition(StopOptions options)
    : options_(std::move(options)), guard_(options_.loop_guard) {
  constexpr size_t kMaxStrings = 64, kMaxBytes = 1024;
  VL3_CHECK(options_.max_tokens >= 1, kInvalidArgument, "max_tokens must be 1 or more, found {}",
            options_.max_tokens);
  VL3_CHECK(options_.min_tokens >= 0 && options_.min_tokens <= options_.max_tokens, kInvalidArgument,
            "min_tokens must be between 0 and max_tokens ({}), found {}", options_.max_tokens,
            options_.min_tokens);
  VL3_CHECK(options_.stop.size() <= kMaxStrings, kInvalidArgument, "stop: at most {} strings, found {}",
            kMaxStrings, options_.stop.size());
  for (const std::string& stop : options_.stop) {
    VL3_CHECK(!stop.empty() && stop.size() <= kMaxBytes, kInvalidArgument,
              "stop: every string must have 1 to {} bytes, found one of {}", kMaxBytes, stop.size());
    // A match could begin inside a character, and the text before it would be shown with half of one.
    VL3_CHECK((static_cast<unsigned char>(stop[0]) & 0xc0) != 0x80, kInvalidArgument,
              "stop: a string begins inside a UTF-8 character (byte 0x{:02x})",
              static_cast<unsigned char>(stop[0]));
  }
}

void StopCondition::apply_min_tokens(std::span<float> logits) const {
  if (num_tokens_ >= options_.min_tokens) return;
  for (const int64_t id : options_.eos_token_ids) {
    if (id >= 0 && static_cast<size_t>(id) < logits.size()) {
      logits[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
    }
  }
}

/// Appends to the held text, releases what is settled. @return true when a stop string was completed.
bool StopCondition::add_text(std::string_view text, Step& step) {
  held_ += text;
  size_t match_begin = 0;
  size_t match_end = std::string::npos;
  for (const std::string& stop : options_.stop) {
    const size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    const size_t end = at + stop.size();
    if (end < match_end || (end == match_end && at < match_begin)) {
      match_begin = at;
      match_end = end;
      step.detail = stop;
    }
  }
  if (match_end != std::string::npos) {
    step.text += held_.substr(0, match_begin);
    held_.clear();
    return true;
  }
  size_t keep = 0;
  for (const std::string& stop : options_.stop) {
    for (size_t size = std::min(stop.size() - 1, held_.size()); size > keep; --size) {
      if (std::string_view(held_).substr(held_.size() - size) == std::string_view(stop).substr(0, size))
        keep = size;
    }
  }
  step.text += held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return false;
}

StopCondition::Step StopCondition::push(int64_t id, std::string_view text) {
  VL3_CHECK(!finished_, kInvalidArgument, "token {} comes after the end of the answer", id);
  ++num_tokens_;
  Step step;
  const bool stopped = add_text(text, step);
  if (std::ranges::find(options_.eos_token_ids, id) != options_.eos_token_ids.end()) {
    step.detail = fmt::format("token {}", id);
    end(step, FinishReason::kStop);
  } else if (stopped) {
    end(step, FinishReason::kStop);
  } else if (const auto loop = guard_.push(id)) {
    step.detail = fmt::format("{} repeats of {} tokens", loop->repeats, loop->span);
    end(step, FinishReason::kRepetition);
  } else if (num_tokens_ >= options_.max_tokens) {
    end(step, FinishReason::kLength);
  }
  return step;
}

StopCondition::Step StopCondition::finish(FinishReason reason) {
  VL3_CHECK(!finished_, kInvalidArgument, "the answer has already ended");
  Step step;
  end(step, reason);
  return step;
}

void StopCondition::end(Step& step, FinishReason reason) {
  finished_ = true;
  step.finish = reason;
  step.text += held_;
  held_.clear();
}

}  // namespace vl3::sampling
