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
