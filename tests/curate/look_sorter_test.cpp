#include "curate/look_sorter.h"

#include <gtest/gtest.h>

#include "curate/pictures.h"
#include "synth/rng.h"

namespace vl3::curate {
namespace {

TEST(LookSorter, RunsAreMergedInTheOrderOfTheirRank) {
  for (const size_t run : {1u, 7u, 300u, 5000u}) {
    const test::TempDir dir;
    LookSorter sorter(dir / "looks", run);
    synth::Rng rng(4);
    for (int64_t i = 0; i < 2000; ++i) {
      Look look;
      look.rank = {rng.below(20), i};
      look.likeness.hash[1] = static_cast<uint64_t>(i);
      sorter.add(look);
    }
    EXPECT_EQ(sorter.size(), 2000);
    Rank last{1000, -1};
    int64_t seen = 0;
    sorter.each([&](const Look& look) {
      ASSERT_TRUE(better(last, look.rank)) << run;
      ASSERT_EQ(look.likeness.hash[1], static_cast<uint64_t>(look.rank.position));
      last = look.rank;
      ++seen;
    });
    EXPECT_EQ(seen, 2000) << run;
  }
}

TEST(LookSorter, OfNothingComesNothing) {
  const test::TempDir dir;
  LookSorter sorter(dir / "looks", 10);
  sorter.each([](const Look&) { FAIL(); });
}

}  // namespace
}  // namespace vl3::curate
