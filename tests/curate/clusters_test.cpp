#include "curate/clusters.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "curate/pictures.h"
#include "synth/rng.h"

namespace vl3::curate {
namespace {

constexpr int64_t kSize = 8;

// Ten directions; the first has nine tenths of the items.
std::vector<float> vector_of(int64_t position) {
  const int64_t group = position % 100 < 91 ? 0 : 1 + position % 9;
  synth::Rng rng(static_cast<uint64_t>(position));
  std::vector<float> vector(kSize);
  double squares = 0;
  for (int64_t d = 0; d < kSize; ++d) {
    const double centre = d == group % kSize ? 1 : d == (group * 3 + 1) % kSize ? 0.7 : 0;
    vector[static_cast<size_t>(d)] = static_cast<float>(centre + 0.02 * rng.normal());
    squares += vector[static_cast<size_t>(d)] * vector[static_cast<size_t>(d)];
  }
  for (float& value : vector) value /= static_cast<float>(std::sqrt(squares));
  return vector;
}

class Clusters : public ::testing::Test {
 protected:
  void fill(int64_t items) {
    verdicts_ = std::make_unique<VerdictFile>(dir_ / "verdicts", items);
    for (int64_t i = 0; i < items; ++i) {
      Candidate candidate;
      candidate.rank = {1, i};
      candidate.row = i;
      candidate.has_features = 1;
      candidates_.add(candidate);
    }
  }
  ClusterSummary balance(const StepHooks& hooks = {}) {
    const FeatureReader reader{kSize, [](const Candidate& candidate, float* out) {
                                 const std::vector<float> vector = vector_of(candidate.row);
                                 std::copy(vector.begin(), vector.end(), out);
                               }};
    return balance_clusters(candidates_, reader, config_, dir_.path(), verdicts_.get(), hooks);
  }
  test::TempDir dir_;
  CurateConfig config_;
  CandidateFile candidates_{dir_ / "candidates"};
  std::unique_ptr<VerdictFile> verdicts_;
};

// Each of them ran to its end, however long: k-means, the assignment, the quota.
TEST_F(Clusters, StopWhenAsked) {
  fill(2000);
  config_.clusters.count = 10;
  config_.clusters.target_items = 200;
  std::set<std::string> steps;
  for (int patience = 0; patience < 1000; ++patience) {
    int asked = 0;
    StepHooks hooks;
    hooks.cancelled = [&] { return asked++ >= patience; };
    const std::string error = test::error_of([&] { (void)balance(hooks); });
    if (error.empty()) break;
    steps.insert(error.substr(error.find("stopped"), error.find(';') - error.find("stopped")));
  }
  EXPECT_EQ(steps, (std::set<std::string>{"stopped while balancing", "stopped while clustering",
                                          "stopped while finding clusters"}));
}

TEST_F(Clusters, QuotaKeepsTheRareAndThinsTheCommon) {
  fill(2000);
  config_.clusters.count = 10;
  config_.clusters.target_items = 200;
  const ClusterSummary summary = balance();
  EXPECT_EQ(summary.clusters, 10);
  EXPECT_EQ(summary.quota, 20);
  int64_t before = 0, after = 0, kept = 0;
  for (size_t c = 0; c < 10; ++c) {
    before += summary.before[c];
    after += summary.after[c];
    EXPECT_EQ(summary.after[c], std::min<int64_t>(20, summary.before[c]));
  }
  EXPECT_EQ(before, 2000);
  int64_t rare = 0, rare_kept = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    const bool stays = verdicts_->get(i).reason == Reason::kKept;
    kept += stays ? 1 : 0;
    rare += i % 100 < 91 ? 0 : 1;
    rare_kept += i % 100 >= 91 && stays ? 1 : 0;
    EXPECT_GE(verdicts_->get(i).cluster, 0);
  }
  EXPECT_EQ(kept, after);
  // Drawn evenly, as large a share of them would be kept as of all.
  EXPECT_GT(rare_kept * 2000, 3 * rare * kept);
}

TEST_F(Clusters, WithoutQuotaAllStay) {
  fill(300);
  const ClusterSummary summary = balance();
  EXPECT_EQ(summary.clusters, 17);  // sqrt(300)
  EXPECT_EQ(summary.before, summary.after);
  EXPECT_EQ(std::ssize(summary.map_x), 17);
  for (int64_t i = 0; i < 300; ++i) EXPECT_EQ(verdicts_->get(i).reason, Reason::kKept);
}

TEST_F(Clusters, SameSeedSameOutcomeAlsoFromASample) {
  fill(1000);
  config_.clusters.count = 8;
  config_.clusters.sample_items = 200;
  config_.clusters.target_items = 80;
  const ClusterSummary first = balance();
  verdicts_ = std::make_unique<VerdictFile>(dir_ / "verdicts", 1000);
  const ClusterSummary second = balance();
  EXPECT_EQ(first.before, second.before);
  EXPECT_EQ(first.after, second.after);
}

TEST_F(Clusters, FeatureDuplicatesGo) {
  fill(400);
  config_.clusters.count = 4;
  config_.duplicates.max_feature_cosine = 0.97;
  balance();
  int64_t kept = 0;
  for (int64_t i = 0; i < 400; ++i) {
    const Verdict verdict = verdicts_->get(i);
    kept += verdict.reason == Reason::kKept ? 1 : 0;
    if (verdict.reason == Reason::kFeatureDuplicate) {
      EXPECT_GT(verdict.value, 0.97);
      EXPECT_LT(verdict.other, i);
    }
  }
  EXPECT_GE(kept, 8);
  EXPECT_LE(kept, 40);  // ten directions in four clusters
}

// Vectors 12 degrees apart along a circle: neighbours are alike (cosine 0.978), the next but one not (0.914).
TEST_F(Clusters, FeatureDuplicatesAreLikeOneThatStays) {
  constexpr int64_t kItems = 8;
  fill(kItems);
  config_.clusters.count = 1;
  config_.duplicates.max_feature_cosine = 0.97;
  const FeatureReader reader{
      kSize, [](const Candidate& candidate, float* out) {
        std::fill(out, out + kSize, 0.0f);
        out[0] = static_cast<float>(std::cos(0.2094 * static_cast<double>(candidate.row)));
        out[1] = static_cast<float>(std::sin(0.2094 * static_cast<double>(candidate.row)));
      }};
  balance_clusters(candidates_, reader, config_, dir_.path(), verdicts_.get());
  for (int64_t i = 0; i < kItems; ++i) {
    const Verdict verdict = verdicts_->get(i);
    ASSERT_EQ(verdict.reason, i % 2 == 0 ? Reason::kKept : Reason::kFeatureDuplicate) << i;
    if (i % 2 == 1) {
      EXPECT_EQ(verdict.other, i - 1);
    }
  }
}

TEST(FarthestFirst, BeginsInTheMiddleAndSpreads) {
  // On a circle: 0, 1, 2, 90 and 91 degrees.
  std::vector<float> rows;
  for (const double degrees : {0.0, 1.0, 2.0, 90.0, 91.0}) {
    rows.push_back(static_cast<float>(std::cos(degrees * 3.14159265 / 180)));
    rows.push_back(static_cast<float>(std::sin(degrees * 3.14159265 / 180)));
  }
  const std::vector<int64_t> order = farthest_first(rows, 2, 5);
  EXPECT_EQ(order[0], 2);  // nearest to the mean, at about 36 degrees
  EXPECT_EQ(order[1], 4);
  EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 5u);
  EXPECT_EQ(farthest_first(rows, 2, 2).size(), 2u);
}

}  // namespace
}  // namespace vl3::curate
