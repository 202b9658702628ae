#include "preprocess/compression_mask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;

constexpr int64_t kTokens = 6;
constexpr int64_t kTokenBytes = 2352;

using Frame = std::vector<uint8_t>;

Frame flat(uint8_t value) { return Frame(kTokens * kTokenBytes, value); }

/// Adds `sum` grey levels to a token, one level a byte.
void change(Frame& frame, int64_t token, int64_t sum) {
  for (int64_t i = 0; i < sum; ++i) ++frame[static_cast<size_t>(token * kTokenBytes + i % kTokenBytes)];
}

TokenPruner pruner(const PruneOptions& options = {}) { return TokenPruner({}, 2, kTokens, options); }

std::vector<uint8_t> next(TokenPruner& tokens, const Frame& frame) {
  const std::span<const uint8_t> mask = tokens.next(frame);
  return {mask.begin(), mask.end()};
}

using Mask = std::vector<uint8_t>;

TEST(CompressionMask, KeepsTheFirstFrameWholeAndOneTokenOfAStillOne) {
  TokenPruner tokens = pruner();
  EXPECT_EQ(next(tokens, flat(7)), Mask(kTokens, 1));
  EXPECT_TRUE(tokens.differences().empty());
  EXPECT_EQ(next(tokens, flat(7)), (Mask{1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(tokens.differences().size(), size_t{kTokens});
  EXPECT_EQ(tokens.kept(), kTokens + 1);
}

TEST(CompressionMask, DropsAt117AndKeepsAt118) {
  TokenPruner tokens = pruner();
  Frame frame = flat(7);
  next(tokens, frame);
  change(frame, 2, 117);
  change(frame, 4, 118);
  EXPECT_EQ(next(tokens, frame), (Mask{0, 0, 0, 0, 1, 0}));
}

TEST(CompressionMask, ComparesWithTheFrameBeforeOrWithWhatWasKept) {
  for (const PruneReference reference : {PruneReference::kPrevious, PruneReference::kLastKept}) {
    TokenPruner tokens = pruner({.reference = reference});
    Frame fade = flat(7);
    next(tokens, fade);
    int64_t kept = 0;
    for (int step = 0; step < 6; ++step) {
      change(fade, 3, 100);  // each step under the threshold
      kept += next(tokens, fade)[3];
    }
    EXPECT_EQ(kept, reference == PruneReference::kPrevious ? 0 : 3);
  }
}

TEST(CompressionMask, KeepsMinTokensAsTheReferenceDoes) {
  TokenPruner tokens = pruner({.min_tokens = 2});
  Frame frame = flat(7);
  next(tokens, frame);
  change(frame, 5, 500);
  EXPECT_EQ(next(tokens, frame), (Mask{1, 1, 0, 0, 0, 1}));
}

TEST(CompressionMask, FollowsTheCheckpointsSwitchUnlessTold) {
  weights::PreprocessConfig config;
  config.use_token_compression = false;
  TokenPruner off(config, 2, kTokens, {});
  TokenPruner on(config, 2, kTokens, {.enabled = true});
  for (TokenPruner* tokens : {&off, &on}) next(*tokens, flat(7));
  EXPECT_EQ(next(off, flat(7)), Mask(kTokens, 1));
  EXPECT_EQ(next(on, flat(7)), (Mask{1, 0, 0, 0, 0, 0}));
}

TEST(CompressionMask, FallsWithTheThreshold) {
  std::mt19937 random(11);
  std::vector<Frame> frames(5, flat(100));
  for (Frame& frame : frames) {
    for (int64_t token = 0; token < kTokens; ++token)
      change(frame, token, static_cast<int64_t>(random() % 4000));
  }
  Mask before;
  for (double threshold = 0; threshold < 3; threshold += 0.05) {
    TokenPruner tokens = pruner({.threshold = threshold, .min_tokens = 0});
    Mask mask;
    for (const Frame& frame : frames) {
      const Mask part = next(tokens, frame);
      mask.insert(mask.end(), part.begin(), part.end());
    }
    EXPECT_EQ(std::count(mask.begin(), mask.begin() + kTokens, 1), kTokens);
    for (size_t i = 0; i < before.size(); ++i) EXPECT_LE(mask[i], before[i]) << threshold;
    before = mask;
  }
  EXPECT_LT(std::ranges::count(before, 1), 5 * kTokens);
}

TEST(CompressionMask, RefusesWrongFramesAndOptions) {
  TokenPruner tokens = pruner();
  EXPECT_NE(error_of([&] { tokens.next(Frame(5)); }).find("found 5"), std::string::npos);
  EXPECT_NE(error_of([] { pruner({.threshold = -1}); }).find("prune threshold -1"), std::string::npos);
  EXPECT_NE(error_of([] { pruner({.min_tokens = kTokens + 1}); }).find("min_tokens = 7"), std::string::npos);
  EXPECT_NE(error_of([] { TokenPruner({}, 2, 0, {}); }).find("0 tokens"), std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
