#include "curate/select.h"

#include <gtest/gtest.h>

#include "curate/pictures.h"
#include "curate/score_axis.h"

namespace vl3::curate {
namespace {

using test::config_for;
using test::run;
using test::TempDir;

class Selecting : public ::testing::Test {
 protected:
  // Whether the selection was made anew.
  bool makes_it(const std::vector<std::string>& set) {
    bool there = false;
    CurateHooks hooks;
    hooks.note = [&](const std::string& line) {
      there = there || line.find("is there already") != std::string::npos;
    };
    run(config_for(dir_, set), {true, true, false, false}, {}, hooks);
    return !there;
  }
  TempDir dir_;
};

TEST_F(Selecting, IsKeptUntilAThresholdOrAScoreChanges) {
  test::write_collection(dir_, 20);
  EXPECT_TRUE(makes_it({}));
  EXPECT_FALSE(makes_it({}));
  EXPECT_FALSE(makes_it({"export.format=none", "workers=2"}));
  EXPECT_TRUE(makes_it({"aspect.max_ratio=2"}));
  EXPECT_TRUE(makes_it({}));
  std::filesystem::remove(dir_ / "out/work/scores/000001.jsonl");
  EXPECT_TRUE(makes_it({}));  // scored again
}

TEST_F(Selecting, WhatIsReadBackIsWhatWasMade) {
  test::write_collection(dir_, 30);
  (void)dir_.write("in/media/001.jpg", test::jpeg(test::scene(0), 60));
  const CurateConfig config = config_for(dir_, {"clusters.target_items=10"});
  run(config, {true, false, false, false});
  const OutputLayout layout{config.output};
  const auto source = open_source(config.input, layout.work());
  const Selection made = select_items(sizes_of(*source), config, layout, {});
  const Selection read = select_items(sizes_of(*source), config, layout, {});
  EXPECT_EQ(made.clusters.before, read.clusters.before);
  EXPECT_EQ(made.clusters.after, read.clusters.after);
  EXPECT_EQ(made.clusters.map_x, read.clusters.map_x);
  EXPECT_EQ(made.duplicates.groups, 1);
  EXPECT_EQ(read.duplicates.groups, 1);
  EXPECT_EQ(made.duplicates.distances, read.duplicates.distances);
  for (int64_t i = 0; i < 30; ++i) EXPECT_EQ(made.verdicts->get(i).reason, read.verdicts->get(i).reason);
}

TEST_F(Selecting, ABrokenSummaryIsMadeAnew) {
  test::write_collection(dir_, 5);
  EXPECT_TRUE(makes_it({}));
  (void)dir_.write("out/work/select/summary.json", "{\"state\": 7");
  EXPECT_TRUE(makes_it({}));
}

TEST_F(Selecting, StopsWhenAsked) {
  test::write_collection(dir_, 5);
  run(config_for(dir_), {true, false, false, false});
  CurateHooks hooks;
  hooks.cancelled = [] { return true; };
  EXPECT_NE(test::error_of([&] {
              run(config_for(dir_), {false, true, true, true}, {}, hooks);
            }).find("stopped while selecting"),
            std::string::npos);
}

TEST(ScoreAxis, LeavesOutliersOutside) {
  AxisSampler sampler;
  EXPECT_TRUE(sampler.empty());
  for (int i = 0; i < 100'000; ++i) sampler.add(i % 1000 == 0 ? 1e9 : i % 100);
  const auto [low, high] = sampler.axis();
  EXPECT_GE(low, 0);
  EXPECT_LE(low, 3);
  EXPECT_GE(high, 96);
  EXPECT_LE(high, 99);
}

}  // namespace
}  // namespace vl3::curate
