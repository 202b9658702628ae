#include "data/packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "support/temp_dir.h"

namespace vl3::data {
namespace {

std::vector<int64_t> random_lengths(std::mt19937_64& draw, size_t count, int64_t most) {
  std::vector<int64_t> lengths(count);
  // Many short ones and a few long ones, as data sets have them.
  for (int64_t& length : lengths) {
    const double u = std::uniform_real_distribution<double>(0, 1)(draw);
    length = 1 + static_cast<int64_t>(u * u * u * static_cast<double>(most - 1));
  }
  return lengths;
}

int64_t sum_of(const std::vector<size_t>& group, const std::vector<int64_t>& lengths) {
  return std::accumulate(group.begin(), group.end(), int64_t{0},
                         [&](int64_t sum, size_t i) { return sum + lengths[i]; });
}

void expect_each_once(const Groups& groups, size_t count) {
  std::vector<size_t> all;
  for (const std::vector<size_t>& group : groups) {
    EXPECT_TRUE(std::ranges::is_sorted(group));
    all.insert(all.end(), group.begin(), group.end());
  }
  std::ranges::sort(all);
  std::vector<size_t> wanted(count);
  std::iota(wanted.begin(), wanted.end(), size_t{0});
  EXPECT_EQ(all, wanted);
}

TEST(Packing, RowsHoldTheBudgetAndLoseNoSample) {
  std::mt19937_64 draw(7);
  for (int round = 0; round < 300; ++round) {
    const int64_t budget = 1 + static_cast<int64_t>(draw() % 5000);
    const std::vector<int64_t> lengths = random_lengths(draw, draw() % 200, budget);
    const Groups rows = pack_by_budget(lengths, budget);
    expect_each_once(rows, lengths.size());
    int64_t total = 0;
    for (const std::vector<size_t>& row : rows) {
      ASSERT_FALSE(row.empty());
      EXPECT_LE(sum_of(row, lengths), budget);
      total += sum_of(row, lengths);
    }
    EXPECT_EQ(rows, pack_by_budget(lengths, budget)) << "not the same twice";
    // Best fit never needs more than 1.7 times what any packing needs, which is at least total / budget.
    EXPECT_LE(static_cast<double>(rows.size()),
              1.7 * static_cast<double>(total) / static_cast<double>(budget) + 2);
  }
}

TEST(Packing, FillsRowsThatFitExactly) {
  const std::vector<int64_t> lengths = {3, 7, 5, 5, 2, 8};
  EXPECT_EQ(pack_by_budget(lengths, 10), (Groups{{0, 1}, {2, 3}, {4, 5}}));
}

TEST(Packing, ASampleLongerThanARowIsAnError) {
  EXPECT_EQ(test::error_of([] {
              pack_by_budget(std::vector<int64_t>{4, 11}, 10);
            }),
            "invalid argument: a sample of 11 tokens does not fit a row of 10; raise row_tokens or lower "
            "model_max_length");
}

TEST(Packing, CountModeKeepsTheOrder) {
  EXPECT_EQ(pack_by_count(5, 2), (Groups{{0, 1}, {2, 3}, {4}}));
  EXPECT_TRUE(pack_by_count(0, 2).empty());
}

TEST(Balance, GivesEveryProcessAboutTheSameTokens) {
  std::mt19937_64 draw(11);
  for (int round = 0; round < 100; ++round) {
    const auto parts = 1 + static_cast<int64_t>(draw() % 8);
    const std::vector<int64_t> lengths = random_lengths(draw, 64 + draw() % 64, 4000);
    const Groups groups = balance(lengths, parts);
    ASSERT_EQ(groups.size(), static_cast<size_t>(parts));
    expect_each_once(groups, lengths.size());
    std::vector<int64_t> loads;
    for (const std::vector<size_t>& group : groups) loads.push_back(sum_of(group, lengths));
    // Before the last sample went to the fullest group, that one was the emptiest.
    EXPECT_LE(std::ranges::max(loads) - std::ranges::min(loads), std::ranges::max(lengths));
    EXPECT_EQ(groups, balance(lengths, parts));
  }
}

TEST(Balance, MoreProcessesThanSamplesLeavesSomeWithNone) {
  const Groups groups = balance(std::vector<int64_t>{5, 3}, 4);
  ASSERT_EQ(groups.size(), 4u);
  expect_each_once(groups, 2);
}

Sample sample_of(const std::string& id, std::vector<int64_t> ids, std::vector<int64_t> visual) {
  Sample sample;
  sample.id = id;
  sample.labels = ids;
  sample.input_ids = std::move(ids);
  sample.visual_positions = std::move(visual);
  if (!sample.visual_positions.empty())
    sample.media.emplace_back().keep.assign(sample.visual_positions.size(), 1);
  return sample;
}

TEST(PackedRow, SamplesStandOneAfterTheOther) {
  std::vector<Sample> samples;
  samples.push_back(sample_of("a", {10, 11, 12}, {1}));
  samples.push_back(sample_of("b", {20, 21}, {}));
  samples.push_back(sample_of("c", {30, 31, 32, 33}, {0, 3}));
  const PackedRow row = make_row(std::move(samples));
  EXPECT_EQ(row.input_ids, (std::vector<int64_t>{10, 11, 12, 20, 21, 30, 31, 32, 33}));
  const int64_t no = kIgnoreIndex;
  EXPECT_EQ(row.labels, (std::vector<int64_t>{no, 11, 12, no, 21, no, 31, 32, 33}));
  EXPECT_EQ(row.cu_seqlens, (std::vector<int64_t>{0, 3, 5, 9}));
  EXPECT_EQ(row.visual_positions, (std::vector<int64_t>{1, 5, 8}));
  EXPECT_EQ(row.sample_ids, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(row.media.size(), 2u);
  EXPECT_EQ(row.labelled_tokens, 6);
  EXPECT_EQ(row.length(), 9);
}

}  // namespace
}  // namespace vl3::data
