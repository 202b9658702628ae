#include "preprocess/prune_budget.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vl3::preprocess {
namespace {

[[noreturn]] void fail_budget(int64_t budget, int64_t smallest) {
  VL3_FAIL(
      kInvalidArgument,
      "cannot prune to {} visual tokens: {} stay at any threshold (the first frame of a video is kept whole, "
      "every later one keeps at least one token); use a larger budget, fewer frames or a smaller size",
      budget, smallest);
}

}  // namespace

PruneBudget::PruneBudget(const weights::PreprocessConfig& config, int64_t merge, int64_t min_tokens)
    : difference_(config, merge), min_tokens_(min_tokens) {
  VL3_CHECK(min_tokens >= 0, kInvalidArgument, "min_tokens = {} of a frame must be at least 0", min_tokens);
}

void PruneBudget::add_whole_frame(int64_t tokens) { whole_tokens_ += tokens; }

void PruneBudget::add_frame(std::span<const double> differences) {
  for (size_t j = 0; j < differences.size(); ++j) {
    tokens_.push_back({differences[j], frames_, static_cast<int64_t>(j) < min_tokens_});
  }
  ++frames_;
}

int64_t PruneBudget::kept_at(double threshold) const {
  const double limit = difference_.limit(threshold);
  std::vector<FrameState> frames(frames_);
  for (const Token& token : tokens_) {
    FrameState& frame = frames[token.frame];
    if (token.difference > limit) {
      ++frame.above;
    } else if (token.guarded) {
      ++frame.guarded_down;
    }
  }
  int64_t kept = whole_tokens_;
  for (const FrameState& frame : frames) kept += frame.kept(min_tokens_);
  return kept;
}

double PruneBudget::smallest_threshold(int64_t budget, double at_least) const {
  int64_t kept = kept_at(at_least);
  if (kept <= budget) return at_least;
  // Tokens fall one group of equal differences at a time. With min_tokens above 1 the total may also rise for
  // a moment (a frame falling to its guarded tokens), so every group is looked at instead of bisecting.
  std::vector<Token> sorted = tokens_;
  std::ranges::sort(sorted, {}, &Token::difference);
  std::vector<FrameState> frames(frames_);
  for (const Token& token : sorted) ++frames[token.frame].above;
  const double passed = difference_.limit(at_least);
  kept = whole_tokens_;
  for (const FrameState& frame : frames) kept += frame.kept(min_tokens_);
  int64_t smallest = kept;
  for (size_t i = 0; i < sorted.size(); ++i) {
    FrameState& frame = frames[sorted[i].frame];
    kept -= frame.kept(min_tokens_);
    --frame.above;
    frame.guarded_down += sorted[i].guarded ? 1 : 0;
    kept += frame.kept(min_tokens_);
    const double difference = sorted[i].difference;
    if (difference <= passed || (i + 1 < sorted.size() && sorted[i + 1].difference == difference)) continue;
    if (kept <= budget) return difference_.threshold_for(difference);
    smallest = std::min(smallest, kept);
  }
  fail_budget(budget, smallest);
}

double search_threshold(const std::function<int64_t(double)>& kept_at, int64_t budget,
                        const TokenDifference& difference, double at_least) {
  if (kept_at(at_least) <= budget) return at_least;
  double low = std::floor(difference.limit(at_least));  // does not fit
  double high = std::ceil(difference.max_sum());        // must fit
  if (const int64_t kept = kept_at(difference.threshold_for(high)); kept > budget) fail_budget(budget, kept);
  while (high - low > 1) {
    const double middle = std::floor((low + high) / 2);
    (kept_at(difference.threshold_for(middle)) <= budget ? high : low) = middle;
  }
  return std::max(difference.threshold_for(high), at_least);
}

}  // namespace vl3::preprocess
