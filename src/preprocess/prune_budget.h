// The threshold behind `--prune-to TOKENS`: the smallest one whose kept tokens fit a budget. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "preprocess/compression_mask.h"
#include "preprocess/token_difference.h"

namespace vl3::preprocess {

/// Collects the differences of all frames of a request's videos (8 bytes a token, no pixels) and finds the
/// threshold exactly. For PruneReference::kPrevious only: there a token's difference does not depend on the
/// threshold.
class PruneBudget {
 public:
  /// @param merge  of the videos; @param min_tokens  of PruneOptions.
  PruneBudget(const weights::PreprocessConfig& config, int64_t merge, int64_t min_tokens = 1);

  /// A frame kept whole: the first one of a video.
  void add_whole_frame(int64_t tokens);
  /// A later frame. @param differences  TokenPruner::differences().
  void add_frame(std::span<const double> differences);

  /// Tokens kept at a threshold, all frames together.
  int64_t kept_at(double threshold) const;

  /// The smallest threshold >= at_least with kept_at(threshold) <= budget.
  /// @throws Error(kInvalidArgument) when no threshold gets there: the first frame of every video is kept
  /// whole and every later frame keeps min_tokens.
  double smallest_threshold(int64_t budget, double at_least = 0.0) const;

 private:
  struct Token {
    double difference;
    uint32_t frame;
    bool guarded;  ///< one of its frame's first min_tokens
  };
  struct FrameState {
    int64_t above = 0;         ///< tokens above the limit
    int64_t guarded_down = 0;  ///< guarded tokens at or under it
    int64_t kept(int64_t min_tokens) const { return above + (above < min_tokens ? guarded_down : 0); }
  };

  TokenDifference difference_;
  int64_t min_tokens_;
  int64_t whole_tokens_ = 0;
  uint32_t frames_ = 0;
  std::vector<Token> tokens_;
};

/// The same for PruneReference::kLastKept, where what is kept decides what later frames are compared with: a
/// search that runs the whole pruning a few times (about log2(max_sum), 20 passes over the patches).
///
/// @param kept_at  kept tokens of a pass of TokenPruner over all videos at a threshold.
/// @return a threshold that fits while the next smaller one the pixels can tell apart does not. Kept totals
/// under kLastKept usually, but not provably, fall with the threshold, so a smaller one further off may
/// exist.
/// @throws Error(kInvalidArgument) when the largest threshold does not fit either.
double search_threshold(const std::function<int64_t(double)>& kept_at, int64_t budget,
                        const TokenDifference& difference, double at_least = 0.0);

}  // namespace vl3::preprocess
