#include "text/bpe.h"

#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <numeric>
#include <random>

namespace vl3::text {
namespace {

using Ids = std::vector<int64_t>;

std::array<int32_t, 256> identity() {
  std::array<int32_t, 256> ids{};
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

// The definition, in quadratic time: merge the pair of lowest rank, leftmost first, until none is left.
Ids merge_by_definition(std::string_view word, const std::vector<BpeMerge>& merges) {
  std::map<std::pair<int64_t, int64_t>, size_t> rank;
  for (size_t i = 0; i < merges.size(); ++i) rank[{merges[i].left, merges[i].right}] = i;
  Ids ids;
  for (const char c : word) ids.push_back(static_cast<uint8_t>(c));
  while (true) {
    size_t best = merges.size();
    size_t at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto it = rank.find({ids[i], ids[i + 1]});
      if (it != rank.end() && it->second < best) best = it->second, at = i;
    }
    if (best == merges.size()) return ids;
    ids[at] = merges[best].result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
}

TEST(Bpe, EqualsItsDefinitionOnRandomMergesAndWords) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<BpeMerge> merges;
    int32_t next = 256;
    const auto token = [&] {
      return random() % 2 == 0 || next == 256
                 ? static_cast<int32_t>('a' + random() % 3)
                 : static_cast<int32_t>(256 + random() % static_cast<uint32_t>(next - 256));
    };
    for (int i = 0; i < 12; ++i) {
      const BpeMerge merge{token(), token(), next};
      merges.push_back(merge);
      ++next;
    }
    const Bpe bpe(identity(), merges, next);
    for (int i = 0; i < 20; ++i) {
      std::string word(random() % 40, 'a');
      for (char& c : word) c = static_cast<char>('a' + random() % 3);
      Ids ids;
      bpe.encode(word, &ids);
      EXPECT_EQ(ids, merge_by_definition(word, merges)) << word;
    }
  }
}

TEST(Bpe, OfAPairListedTwiceTheLastRankCounts) {
  const Bpe bpe(identity(), {{'a', 'b', 256}, {'b', 'c', 257}, {'a', 'b', 256}}, 257);
  Ids ids;
  bpe.encode("abc", &ids);
  EXPECT_EQ(ids, (Ids{'a', 257}));
}

TEST(Bpe, AWordOfMegabytesTakesNearLinearTime) {
  const Bpe bpe(identity(), {{'a', 'a', 256}, {256, 256, 257}, {257, 257, 258}, {'b', 'a', 259}}, 259);
  const std::string word(2'000'000, 'a');
  Ids ids;
  const std::clock_t begin = std::clock();  // CPU time: other work on the machine does not count
  bpe.encode(word, &ids);
  EXPECT_LT(std::clock() - begin, 20 * CLOCKS_PER_SEC);
  EXPECT_EQ(ids.size(), word.size() / 8);
}

}  // namespace
}  // namespace vl3::text
