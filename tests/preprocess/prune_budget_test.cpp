#include "preprocess/prune_budget.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;

constexpr int64_t kTokens = 12;
constexpr int64_t kTokenBytes = 2352;

/// Frames whose tokens wander by random amounts, some of them equal.
std::vector<std::vector<uint8_t>> wandering_frames(int count) {
  std::mt19937 random(3);
  std::vector<std::vector<uint8_t>> frames(1, std::vector<uint8_t>(kTokens * kTokenBytes, 100));
  while (static_cast<int>(frames.size()) < count) {
    std::vector<uint8_t> frame = frames.back();
    for (int64_t token = 0; token < kTokens; ++token) {
      const auto bytes = static_cast<int64_t>(random() % 8) * 250;
      const int step = random() % 2 == 0 ? 1 : -1;
      for (int64_t i = 0; i < bytes; ++i) {
        uint8_t& value = frame[static_cast<size_t>(token * kTokenBytes + i)];
        value = static_cast<uint8_t>(value + step);
      }
    }
    frames.push_back(std::move(frame));
  }
  return frames;
}

int64_t kept_by(const std::vector<std::vector<uint8_t>>& frames, const PruneOptions& options) {
  TokenPruner pruner({}, 2, kTokens, options);
  for (const auto& frame : frames) pruner.next(frame);
  return pruner.kept();
}

PruneBudget collect(const std::vector<std::vector<uint8_t>>& frames, int64_t min_tokens) {
  PruneBudget budget({}, 2, min_tokens);
  TokenPruner pruner({}, 2, kTokens, {.min_tokens = min_tokens});
  for (const auto& frame : frames) {
    pruner.next(frame);
    if (pruner.differences().empty()) {
      budget.add_whole_frame(kTokens);
    } else {
      budget.add_frame(pruner.differences());
    }
  }
  return budget;
}

TEST(PruneBudget, CountsWhatThePrunerKeeps) {
  const auto frames = wandering_frames(9);
  for (const int64_t min_tokens : {0, 1, 3}) {
    const PruneBudget budget = collect(frames, min_tokens);
    for (double threshold = 0; threshold < 2; threshold += 0.07) {
      EXPECT_EQ(budget.kept_at(threshold),
                kept_by(frames, {.threshold = threshold, .min_tokens = min_tokens}));
    }
  }
}

TEST(PruneBudget, FindsTheSmallestThresholdThatFits) {
  const auto frames = wandering_frames(9);
  for (const int64_t min_tokens : {1, 3}) {
    const PruneBudget budget = collect(frames, min_tokens);
    for (int64_t tokens = kTokens + 8 * min_tokens; tokens <= 9 * kTokens; ++tokens) {
      const double threshold = budget.smallest_threshold(tokens);
      const auto kept = [&](double value) {
        return kept_by(frames, {.threshold = value, .min_tokens = min_tokens});
      };
      EXPECT_LE(kept(threshold), tokens);
      if (threshold > 0) {
        EXPECT_GT(kept(std::nextafter(threshold, 0.0)), tokens);
      }
    }
  }
}

TEST(PruneBudget, NeverGoesBelowTheGivenThreshold) {
  const PruneBudget budget = collect(wandering_frames(9), 1);
  EXPECT_EQ(budget.smallest_threshold(9 * kTokens, 0.1), 0.1);
  EXPECT_EQ(budget.smallest_threshold(kTokens + 8, 100.0), 100.0);
  EXPECT_GE(budget.smallest_threshold(40, 0.3), 0.3);
}

TEST(PruneBudget, RefusesABudgetBelowTheTokensThatAlwaysStay) {
  const PruneBudget budget = collect(wandering_frames(9), 1);
  const std::string error = error_of([&] { budget.smallest_threshold(kTokens + 7); });
  EXPECT_NE(error.find("cannot prune to 19 visual tokens: 20 stay"), std::string::npos) << error;
}

TEST(PruneBudget, SearchesForTheLastKeptReference) {
  const auto frames = wandering_frames(9);
  const TokenDifference difference({}, 2);
  int passes = 0;
  const auto kept_at = [&](double threshold) {
    ++passes;
    return kept_by(frames, {.threshold = threshold, .reference = PruneReference::kLastKept});
  };
  for (const int64_t tokens : {25, 40, 60, 108}) {
    passes = 0;
    const double threshold = search_threshold(kept_at, tokens, difference);
    EXPECT_LE(passes, 24);
    EXPECT_LE(kept_at(threshold), tokens);
    if (threshold > 0) {
      EXPECT_GT(kept_at(std::nextafter(threshold, 0.0)), tokens);
    }
  }
  EXPECT_NE(error_of([&] { search_threshold(kept_at, 5, difference); }).find("20 stay"), std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
