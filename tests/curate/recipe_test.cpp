#include "curate/recipe.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

const char* const kSmall = "output = \"out\"\n[input]\npath = [\"a.jsonl\"]\n";

std::string error(const std::string& toml, const std::vector<std::string>& set = {}) {
  return test::error_of([&] { parse_recipe(toml, "r.toml", set); });
}

TEST(CurateRecipe, NeedsOnlyInputAndOutput) {
  const CurateConfig config = parse_recipe(kSmall, "r.toml", {});
  EXPECT_EQ(config.name, "r");
  EXPECT_EQ(config.aspect.max_ratio, 3);
  EXPECT_EQ(config.input.path, std::vector<std::string>{"a.jsonl"});
  EXPECT_NE(error("").find("give input.path (--input)"), std::string::npos);
  EXPECT_NE(error("[input]\npath = [\"a\"]\n").find("give the output folder (--output)"), std::string::npos);
}

TEST(CurateRecipe, NamesTheNearestKnownKey) {
  EXPECT_EQ(error(std::string(kSmall) + "[aspect]\nmax_rato = 2\n"),
            "invalid argument: r.toml:5: unknown key \"aspect.max_rato\"; did you mean aspect.max_ratio?");
  EXPECT_EQ(error(kSmall, {"quality.max_blurr=0.5"}),
            "invalid argument: --set quality.max_blurr=0.5: unknown key \"quality.max_blurr\"; did you mean "
            "quality.max_blur?");
  EXPECT_NE(error(kSmall, {"zzzzzzzz=1"}).find("docs/guides/curate.md"), std::string::npos);
}

TEST(CurateRecipe, RefusesValuesOutOfRangeAndContradictions) {
  EXPECT_NE(error(kSmall, {"aspect.max_ratio=0.5"}).find("expected a number of at least 1"),
            std::string::npos);
  EXPECT_NE(error(kSmall, {"duplicates.max_hash_distance=32"}).find("from -1 to 31"), std::string::npos);
  EXPECT_NE(error(kSmall, {"features=encoder"}).find("needs a model"), std::string::npos);
  EXPECT_NE(error(kSmall, {"similarity.min_gain=0"}).find("needs a model"), std::string::npos);
  EXPECT_NE(error(kSmall, {"export.caption=short"}).find("caption.short_caption = true"), std::string::npos);
  EXPECT_NE(error(kSmall, {"scorers.0.name=a", "scorers.0.kind=torchscript"}).find("give its path"),
            std::string::npos);
  EXPECT_NE(error(kSmall, {"scorers.0.name=a", "scorers.1.name=a"}).find("two scorers"), std::string::npos);
}

TEST(CurateRecipe, TextGivesTheConfigAgain) {
  const CurateConfig config =
      parse_recipe(kSmall, "r.toml", {"scorers.0.name=a", "scorers.0.min=2.5", "aspect.max_ratio=2"});
  const std::string text = recipe_toml(config);
  EXPECT_EQ(recipe_toml(parse_recipe(text, "other.toml", {})), text);
}

TEST(CurateRecipe, ThresholdsAreNoScoringKeys) {
  const auto keys = [](const std::vector<std::string>& set) {
    return scoring_keys(parse_recipe(kSmall, "r.toml", set));
  };
  EXPECT_EQ(keys({}),
            keys({"aspect.max_ratio=2", "clusters.target_items=7", "output=other", "text.max_chars=9"}));
  EXPECT_NE(keys({}), keys({"validity.max_pixels=1000"}));
  EXPECT_NE(keys({}), keys({"video.sample_fps=1"}));
}

TEST(CurateRecipe, RefusesScorersThatCouldNotWork) {
  const auto scorer = [](std::vector<std::string> set) {
    set.insert(set.begin(), "scorers.0.name=a");
    return error(kSmall, set);
  };
  EXPECT_EQ(scorer({}), "");
  EXPECT_NE(error(kSmall, {"scorers.0.name=blur"}).find("as a built-in score is"), std::string::npos);
  EXPECT_NE(scorer({"scorers.0.min=2", "scorers.0.max=1"}).find("min 2 is above max 1"), std::string::npos);
  EXPECT_NE(scorer({R"(scorers.0.std=["1", "0", "1"])"}).find("std has \"0\"; expected numbers above 0"),
            std::string::npos);
  EXPECT_NE(scorer({R"(scorers.0.std=["1", "nan", "1"])"}).find("numbers above 0"), std::string::npos);
  EXPECT_NE(scorer({R"(scorers.0.mean=["1", "nan", "1"])"}).find("mean has \"nan\""), std::string::npos);
  EXPECT_NE(scorer({R"(scorers.0.mean=["1", "x", "1"])"}).find("mean has \"x\""), std::string::npos);
  EXPECT_NE(scorer({R"(scorers.0.mean=["1", "1"])"}).find("three values"), std::string::npos);
  EXPECT_NE(error(kSmall, {"export.prompt=What is <image> this?"}).find("media tag"), std::string::npos);
}

// Any of these made everything be scored again.
TEST(CurateRecipe, AKeyCountsOnlyWhereScoresDependOnIt) {
  const test::TempDir dir;
  (void)dir.write("m/scorer.onnx", "x");
  const std::string toml = std::string(kSmall);
  const auto keys = [&](std::vector<std::string> set) {
    return scoring_keys(parse_recipe(toml, "r.toml", set));
  };
  EXPECT_EQ(keys({}), keys({"seed=5"}));
  EXPECT_EQ(keys({}), keys({"input.path=./a.jsonl"}));  // the source says which files are read
  EXPECT_EQ(keys({}), keys({"model=default", "caption.short_caption=true"}));
  EXPECT_EQ(keys({}), keys({"dtype=float32"}));
  EXPECT_EQ(keys({}), keys({"scorers.0.name=a", "scorers.0.column=b"}));
  EXPECT_NE(keys({}), keys({"model=default", "features=encoder"}));
  EXPECT_NE(keys({}), keys({"model=default", "similarity.min_gain=0"}));
  EXPECT_EQ(keys({"model=default", "similarity.min_gain=0"}),
            keys({"model=default", "similarity.min_gain=1"}));
  // A checkpoint that gives features judges captions as well.
  EXPECT_EQ(keys({"model=default", "features=encoder"}),
            keys({"model=default", "features=encoder", "similarity.min_gain=1"}));
  EXPECT_NE(keys({"model=default", "features=encoder"}), keys({"model=other", "features=encoder"}));
  const auto onnx = [&](const std::string& path, const char* side) {
    return keys({"scorers.0.name=a", "scorers.0.kind=onnx", "scorers.0.path=" + (dir / path).string(), side});
  };
  EXPECT_EQ(onnx("m/scorer.onnx", "scorers.0.min=1"), onnx("m/../m/scorer.onnx", "scorers.0.min=2"));
  EXPECT_NE(onnx("m/scorer.onnx", "scorers.0.side=10"), onnx("m/scorer.onnx", "scorers.0.side=20"));
}

TEST(CurateRecipe, SelectionKeysAreTheThresholds) {
  const auto keys = [](const std::vector<std::string>& set) {
    return selection_keys(parse_recipe(kSmall, "r.toml", set));
  };
  EXPECT_EQ(keys({}), keys({"output=other", "workers=3", "export.format=none", "model=default",
                            "caption.short_caption=true"}));
  EXPECT_NE(keys({}), keys({"aspect.max_ratio=2"}));
  EXPECT_NE(keys({}), keys({"seed=2"}));
  EXPECT_NE(keys({}), keys({"scorers.0.name=a", "scorers.0.column=b"}));
}

TEST(CurateRecipe, TheShippedRecipesAreRead) {
  int read = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(VL3_SOURCE_DIR) / "recipes/curate")) {
    EXPECT_NO_THROW(load_recipe(entry.path(), {})) << entry.path();
    ++read;
  }
  EXPECT_GE(read, 3);
}

}  // namespace
}  // namespace vl3::curate
