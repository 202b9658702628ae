#include "curate/duplicates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "curate/pictures.h"
#include "synth/rng.h"

namespace vl3::curate {
namespace {

class Duplicates : public ::testing::TestWithParam<int64_t> {  // memory_bytes: one part or many
 protected:
  Duplicates() : verdicts_(dir_ / "verdicts", kItems), candidates_(dir_ / "candidates") {
    config_.duplicates.memory_bytes = GetParam();
  }

  Candidate random_item(int64_t position, int64_t pixels = 100) {
    synth::Rng rng(static_cast<uint64_t>(position) + 1000);
    Candidate candidate;
    candidate.rank = {pixels, position};
    candidate.content[0] = rng.next();
    candidate.content[1] = rng.next();
    candidate.caption_key = rng.next();
    candidate.has_likeness = 1;
    for (uint64_t& word : candidate.likeness.hash) word = rng.next();
    for (uint8_t& cell : candidate.likeness.thumb) cell = static_cast<uint8_t>(rng.below(16));
    return candidate;
  }
  Reason reason(int64_t position) const { return verdicts_.get(position).reason; }
  int64_t other(int64_t position) const { return verdicts_.get(position).other; }

  void check_distances(int64_t most) {
    config_.duplicates.max_hash_distance = most;
    synth::Rng rng(5);
    for (int64_t i = 0; i < kItems; ++i) {
      Candidate candidate = random_item(i / 3 * 3);
      candidate.rank.position = i;
      const int flips = i % 3 == 0 ? 0 : i % 3 == 1 ? static_cast<int>(i / 3 % (most + 1)) : 80;
      std::vector<int> bits(256);
      for (int b = 0; b < 256; ++b) bits[static_cast<size_t>(b)] = b;
      rng.shuffle(bits);
      for (int f = 0; f < flips; ++f)
        candidate.likeness.hash[static_cast<size_t>(bits[static_cast<size_t>(f)]) / 64] ^=
            uint64_t{1} << (bits[static_cast<size_t>(f)] % 64);
      candidates_.add(candidate);
    }
    drop_near_duplicates(candidates_, config_, dir_.path(), &verdicts_);
    for (int64_t i = 0; i < kItems; ++i) {
      ASSERT_EQ(reason(i), i % 3 == 1 ? Reason::kNearDuplicate : Reason::kKept) << i;
      if (i % 3 == 1) {
        ASSERT_EQ(other(i), i - 1);
        ASSERT_EQ(verdicts_.get(i).value, static_cast<float>(i / 3 % (most + 1)));
      }
    }
  }

  static constexpr int64_t kItems = 3000;
  test::TempDir dir_;
  CurateConfig config_;
  VerdictFile verdicts_;
  CandidateFile candidates_;
};

TEST_P(Duplicates, OfEqualBytesTheBestRankedStays) {
  for (int64_t i = 0; i < kItems; ++i) {
    Candidate candidate = random_item(i, i % 7);
    if (i % 10 == 3) {  // 3, 13, 23 … share bytes in groups of ten
      candidate.content[0] = static_cast<uint64_t>(i / 100);
      candidate.content[1] = 5;
    }
    candidates_.add(candidate);
  }
  drop_exact_duplicates(candidates_, config_, dir_.path(), &verdicts_);
  for (int64_t i = 0; i < kItems; ++i) {
    int64_t best = i;
    if (i % 10 == 3) {
      for (int64_t k = i / 100 * 100 + 3; k < i / 100 * 100 + 100; k += 10) {
        if (k % 7 > best % 7 || (k % 7 == best % 7 && k < best)) best = k;
      }
    }
    ASSERT_EQ(reason(i), best == i ? Reason::kKept : Reason::kExactDuplicate) << i;
    if (best != i) {
      ASSERT_EQ(other(i), best);
    }
  }
}

TEST_P(Duplicates, EqualFirstHalfOfTheDigestIsNotEnough) {
  for (int64_t i = 0; i < 3; ++i) {
    Candidate candidate = random_item(i);
    candidate.content[0] = 7;
    candidates_.add(candidate);
  }
  drop_exact_duplicates(candidates_, config_, dir_.path(), &verdicts_);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(reason(i), Reason::kKept);
}

// Every number of differing bits up to the bound, wherever they stand.
TEST_P(Duplicates, NearOnesAreFoundUpToTheDistanceAndNoFurther) { check_distances(15); }
TEST_P(Duplicates, TheSameWithTheFinerParts) { check_distances(31); }

// 0, 20, 40, … bits away from the first: each is near its neighbours alone. All but one went, the last for
// something it did not look like at all.
TEST_P(Duplicates, LikenessDoesNotAddUpAlongAChain) {
  for (int64_t i = 0; i < 10; ++i) {
    Candidate candidate = random_item(0);
    candidate.rank.position = i;
    for (int64_t bit = 0; bit < 20 * i; ++bit)
      candidate.likeness.hash[static_cast<size_t>(bit / 64)] ^= uint64_t{1} << (bit % 64);
    candidates_.add(candidate);
  }
  drop_near_duplicates(candidates_, config_, dir_.path(), &verdicts_);
  for (int64_t i = 0; i < 10; ++i) {
    ASSERT_EQ(reason(i), i % 2 == 0 ? Reason::kKept : Reason::kNearDuplicate) << i;
    if (i % 2 == 1) {
      EXPECT_EQ(other(i), i - 1);
      EXPECT_EQ(verdicts_.get(i).value, 20);
    }
  }
}

// Against the definition, item by item: the best that stays and is near, or it stays.
TEST_P(Duplicates, OfAPileTheGreedyChoiceStays) {
  config_.duplicates.max_hash_distance = 28;
  config_.duplicates.max_thumb_cell = 15;
  config_.duplicates.max_thumb_mean = 15;
  synth::Rng rng(3);
  std::vector<Candidate> all;
  for (int64_t i = 0; i < 1500; ++i) {
    Candidate candidate = random_item(i % 40);
    candidate.rank = {rng.below(5), i};
    for (int flips = rng.below(40); flips > 0; --flips)
      candidate.likeness.hash[static_cast<size_t>(rng.below(4))] ^= uint64_t{1} << rng.below(64);
    all.push_back(candidate);
    candidates_.add(candidate);
  }
  drop_near_duplicates(candidates_, config_, dir_.path(), &verdicts_);
  std::sort(all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return better(a.rank, b.rank); });
  std::vector<Candidate> kept;
  for (const Candidate& candidate : all) {
    const auto twin = std::find_if(kept.begin(), kept.end(), [&](const Candidate& other) {
      return hash_distance(other.likeness.hash, candidate.likeness.hash) <= 28;
    });
    const int64_t position = candidate.rank.position;
    ASSERT_EQ(reason(position), twin == kept.end() ? Reason::kKept : Reason::kNearDuplicate) << position;
    if (twin == kept.end()) {
      kept.push_back(candidate);
    } else {
      ASSERT_EQ(other(position), twin->rank.position);
      ASSERT_EQ(verdicts_.get(position).value, hash_distance(twin->likeness.hash, candidate.likeness.hash));
    }
  }
  EXPECT_GT(kept.size(), 40u);
  EXPECT_LT(kept.size(), 1000u);
}

// An exact duplicate named an item that then went for another.
TEST_P(Duplicates, WhoeverIsNamedIsNoDuplicateItself) {
  for (int64_t i = 0; i < 6; ++i) {
    Candidate candidate = random_item(i);
    if (i > 0 && i < 4) candidate.likeness = random_item(0).likeness;
    if (i == 3) candidate.likeness.hash[0] ^= 7;  // near 0, as 1 and 2 are
    if (i == 2)
      candidate.content[0] = random_item(1).content[0], candidate.content[1] = random_item(1).content[1];
    candidates_.add(candidate);
  }
  drop_exact_duplicates(candidates_, config_, dir_.path(), &verdicts_);
  EXPECT_EQ(other(2), 1);
  drop_near_duplicates(candidates_, config_, dir_.path(), &verdicts_);
  const DuplicateSummary summary = settle_duplicates(config_, dir_.path(), &verdicts_);
  EXPECT_EQ(reason(2), Reason::kExactDuplicate);
  for (const int64_t i : {1, 2, 3}) EXPECT_EQ(other(i), 0) << i;
  EXPECT_EQ(summary.groups, 1);
  EXPECT_EQ(summary.dropped, 3);
  EXPECT_EQ(summary.largest, 4);
  EXPECT_EQ(summary.sizes, (std::array<int64_t, 6>{0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(summary.distances[0], 1);
  EXPECT_EQ(summary.distances[3], 1);
}

TEST_P(Duplicates, AnotherColourIsNoDuplicate) {
  Candidate first = random_item(0), second = random_item(0), third = random_item(0);
  second.rank.position = 1;
  second.likeness.thumb[10] ^= 8;
  third.rank = {200, 2};  // the largest, and last
  for (const Candidate& candidate : {first, second, third}) candidates_.add(candidate);
  drop_near_duplicates(candidates_, config_, dir_.path(), &verdicts_);
  EXPECT_EQ(reason(0), Reason::kNearDuplicate);
  EXPECT_EQ(other(0), 2);
  EXPECT_EQ(reason(1), Reason::kKept);
  EXPECT_EQ(reason(2), Reason::kKept);
}

TEST_P(Duplicates, OfOneTemplateSoManyStay) {
  config_.text.max_template_items = 20;
  for (int64_t i = 0; i < kItems; ++i) {
    Candidate candidate = random_item(i);
    if (i % 2 == 0) candidate.caption_key = 77;
    if (i % 10 == 1) candidate.caption_key = 0;  // no caption at all
    candidates_.add(candidate);
  }
  drop_caption_templates(candidates_, config_, dir_.path(), &verdicts_);
  for (int64_t i = 0; i < kItems; ++i)
    ASSERT_EQ(reason(i), i % 2 == 0 && i >= 40 ? Reason::kCaptionTemplate : Reason::kKept) << i;
}

INSTANTIATE_TEST_SUITE_P(Memory, Duplicates, ::testing::Values(int64_t{256} << 20, int64_t{20'000}));

}  // namespace
}  // namespace vl3::curate
