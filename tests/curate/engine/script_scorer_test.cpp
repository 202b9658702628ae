#include "curate/engine/script_scorer.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

using test::error_of;
using test::TempDir;

// A TorchScript file as a user would export one.
std::string script(const TempDir& dir, const std::string& body) {
  torch::jit::Module module("scorer");
  module.define("def forward(self, x):\n    return " + body + "\n");
  const std::string file = (dir / "scorer.pt").string();
  module.save(file);
  return file;
}

ScorerConfig config_of(const std::string& path) {
  ScorerConfig config;
  config.name = "mine";
  config.kind = "torchscript";
  config.path = path;
  config.side = 32;
  return config;
}

media::Frame plain(int height, int width, int red, int green, int blue) {
  return test::draw(height, width, [=](int, int, int c) { return c == 0 ? red : c == 1 ? green : blue; });
}

TEST(ScriptScorer, GivesEachPictureItsScore) {
  const TempDir dir;
  ScorerConfig config = config_of(script(dir, "x.mean([1, 2, 3])"));
  config.mean = {"0", "0", "0"};
  config.std = {"1", "1", "1"};
  const auto scorer = script_scorer(config);
  const media::Frame dark = plain(40, 60, 51, 51, 51), bright = plain(30, 20, 255, 255, 255);
  const std::vector<Impression> seen = scorer->look({{&dark, "a caption"}, {&bright, ""}});
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_NEAR(seen[0].scores.at("mine"), 0.2, 1e-6);
  EXPECT_NEAR(seen[1].scores.at("mine"), 1.0, 1e-6);
  EXPECT_TRUE(seen[0].features.empty());
  EXPECT_TRUE(scorer->look({}).empty());
}

TEST(ScriptScorer, TakesTheMiddleSquareAndNormalises) {
  const TempDir dir;
  // Red in the middle square, white at both ends, which are cut off.
  const media::Frame wide = test::draw(20, 60, [](int, int x, int c) {
    return x < 20 || x >= 40 ? 255 : c == 0 ? 255 : 0;
  });
  ScorerConfig config = config_of(script(dir, "x[:, 0].mean([1, 2]) * 100 + x[:, 1].mean([1, 2])"));
  config.mean = {"0.5", "0.25", "0"};
  config.std = {"0.5", "0.5", "1"};
  // (1 - 0.5) / 0.5 = 1 and (0 - 0.25) / 0.5 = -0.5
  EXPECT_NEAR(script_scorer(config)->look({{&wide, ""}})[0].scores.at("mine"), 99.5, 1e-4);
}

TEST(ScriptScorer, AScoreThatIsNoNumberIsLeftOut) {
  const TempDir dir;
  const auto scorer = script_scorer(config_of(script(dir, "x.mean([1, 2, 3]) * 0 / 0")));
  const media::Frame picture = plain(10, 10, 1, 2, 3);
  EXPECT_TRUE(scorer->look({{&picture, ""}})[0].scores.empty());
}

TEST(ScriptScorer, RefusesWhatIsNoScorer) {
  const TempDir dir;
  const std::string missing = error_of([&] { script_scorer(config_of((dir / "none.pt").string())); });
  EXPECT_TRUE(missing.ends_with("none.pt: no such file")) << missing;
  const std::string text = error_of([&] { script_scorer(config_of(dir.write("text.pt", "no model"))); });
  EXPECT_NE(text.find("text.pt: no TorchScript model"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;

  const media::Frame picture = plain(10, 10, 1, 2, 3);
  const auto planes = script_scorer(config_of(script(dir, "x.mean([2, 3])")));
  const std::string shape = error_of([&] { planes->look({{&picture, ""}}); });
  EXPECT_NE(shape.find("3 numbers for 1 pictures"), std::string::npos) << shape;
  const auto fails = script_scorer(config_of(script(dir, "x.view([7, 11])")));
  const std::string failure = error_of([&] { fails->look({{&picture, ""}}); });
  EXPECT_NE(failure.find("scorer.pt: RuntimeError: shape '[7, 11]'"), std::string::npos) << failure;
}

}  // namespace
}  // namespace vl3::curate
