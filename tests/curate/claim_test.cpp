#include "curate/claim.h"

#include <gtest/gtest.h>

#include <fstream>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

using Lines = std::vector<std::string>;
using test::config_for;
using test::run;
using test::TempDir;

const Lines kBase = {"input = /d/a.jsonl\t10 1", "features = layout", "input.shard_items = 8"};

Lines with(Lines lines, const std::string& line) {
  lines.push_back(line);
  return lines;
}

TEST(Claim, EqualOnesServe) { EXPECT_EQ(claim_difference(kBase, kBase), ""); }

// Two digests were named, and nobody could tell which of a thousand files it was.
TEST(Claim, NamesTheFileOfTheInputThatChanged) {
  const Lines two = {"input = /d/a.jsonl\t10 1", "input = /d/b.jsonl\t10 1"};
  EXPECT_EQ(claim_difference(two, {two[0], "input = /d/b.jsonl\t11 2"}).find("/d/b.jsonl has changed"), 0u);
  EXPECT_EQ(claim_difference(two, with(two, "input = /d/c.jsonl\t1 1")),
            "/d/c.jsonl was not among its inputs");
  EXPECT_EQ(claim_difference(two, {two[0]}), "/d/b.jsonl is not among the inputs any more");
  EXPECT_EQ(claim_difference(two, {two[1], two[0]}), "its inputs stood in another order");
}

TEST(Claim, NamesTheKeyThatChanged) {
  Lines other = kBase;
  other[2] = "input.shard_items = 4";
  EXPECT_EQ(claim_difference(kBase, other), "input.shard_items = 8; now input.shard_items = 4");
}

// The threshold was taken, and did nothing.
TEST(Claim, ScoresThatWereNeverMadeAreRefusedAndSuperfluousOnesAreNot) {
  const Lines gains = with(kBase, "caption_gain = \"m\" auto");
  EXPECT_EQ(claim_difference(kBase, gains), "without captions' gains, which similarity.min_gain needs");
  EXPECT_EQ(claim_difference(gains, kBase), "");
  const Lines scorer = with(kBase, "scorers.clip = onnx \"a.onnx\" side 224");
  EXPECT_EQ(claim_difference(kBase, scorer), "without the scorer \"clip\"");
  EXPECT_EQ(claim_difference(scorer, kBase), "");
  EXPECT_NE(claim_difference(scorer, with(kBase, "scorers.clip = onnx \"b.onnx\" side 224")), "");
}

CurateHooks with_models(bool* loads) {
  CurateHooks hooks;
  hooks.models = [loads](const CurateConfig&) -> Models {
    if (!*loads) throw Error(ErrorCode::kNotFound, "aesthetic.pt: no such file");
    return {};
  };
  return hooks;
}

// The folder was claimed before the models were loaded: a mistyped path could not be corrected.
TEST(Claim, ARecipeWhoseModelsDoNotLoadClaimsNothing) {
  const TempDir dir;
  test::write_collection(dir, 5);
  bool loads = false;
  const std::vector<std::string> set = {"scorers.0.name=a", "scorers.0.kind=torchscript",
                                        "scorers.0.path=x.pt"};
  EXPECT_NE(
      test::error_of([&] { run(config_for(dir, set), {}, {}, with_models(&loads)); }).find("no such file"),
      std::string::npos);
  loads = true;
  std::vector<std::string> right = set;
  right[2] = "scorers.0.path=y.pt";
  EXPECT_EQ(run(config_for(dir, right), {}, {}, with_models(&loads)).scored, 5);
  EXPECT_NE(test::error_of([&] { run(config_for(dir, set), {}, {}, with_models(&loads)); }).find("scorers.a"),
            std::string::npos);
}

TEST(Claim, GainsAreNotThresholdedBeforeTheyAreComputed) {
  const TempDir dir;
  test::write_collection(dir, 5);
  run(config_for(dir, {"model=default"}));
  const auto error = test::error_of([&] {
    run(config_for(dir, {"model=default", "similarity.min_gain=0.1"}));
  });
  EXPECT_NE(error.find("without captions' gains"), std::string::npos) << error;
}

TEST(Claim, WhatNoScoreDependsOnMayChange) {
  const TempDir dir;
  test::write_collection(dir, 4);
  std::ofstream(dir / "in/items.jsonl", std::ios::app)
      << R"({"image": "media/000.jpg", "caption": "The first again", "b": 1})"
      << "\n";
  run(config_for(dir));
  EXPECT_EQ(run(config_for(dir, {"seed=9", "dtype=float32",
                                 fmt::format("input.path={}", (dir / "in/../in/items.jsonl").string())}))
                .scored,
            0);
  EXPECT_EQ(run(config_for(dir, {"scorers.0.name=a", "scorers.0.column=b", "scorers.0.required=true"}))
                .reasons.at("score:a"),
            4);
}

// Half scored with gains and half without would pass for a whole later.
TEST(Claim, ScoringOnWithLessTakesBackWhatWasPromised) {
  const TempDir dir;
  test::write_collection(dir, 20);
  const Steps score{true, false, false, false};
  const std::vector<std::string> gains = {"model=default", "similarity.min_gain=0.1"};
  run(config_for(dir, gains), score, {0, 2});
  run(config_for(dir, {"model=default"}), score, {1, 2});
  EXPECT_NE(test::error_of([&] { run(config_for(dir, gains)); }).find("without captions' gains"),
            std::string::npos);
}

TEST(Claim, OthersMayNotScoreByAnotherRecipeMeanwhile) {
  const TempDir dir;
  test::write_collection(dir, 5);
  const CurateConfig config = config_for(dir), other = config_for(dir, {"input.shard_items=4"});
  const OutputLayout layout{config.output};
  std::filesystem::create_directories(layout.work());
  const auto source = open_source(config.input, layout.work());
  const FileLock held = claim_scores(*source, config, layout, {});
  const FileLock beside = claim_scores(*source, config, layout, {});
  StepHooks impatient;
  int asked = 0;
  impatient.cancelled = [&] { return ++asked > 2; };
  EXPECT_NE(test::error_of([&] { (void)claim_scores(*source, other, layout, impatient); }).find("stopped"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::curate
