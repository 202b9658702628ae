#include "synth/options.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "synth/generator.h"
#include "synth/walk.h"

namespace vl3::test {
namespace {

using namespace synth;

SynthOptions read(const std::string& text) {
  return options_from_json(parse_json(text, "options"), "options");
}
std::string error(const std::string& text) {
  return error_of([&] { (void)read(text); });
}

TEST(Options, ReadBackWhatTheyWrite) {
  SynthOptions options;
  options.seed = 18446744073709551615ULL;
  options.split = Split::kHeldout;
  options.min_glyph = 14;
  options.codec = Codec::kH264;
  options.sensor_noise = 2.5;
  options.render_fps = 4;
  options.sampler = ClipSampler::kNative;
  options.caption_noise = 0.25;
  options.mixture = {{"ocr.read", {"large", "small"}, 3}, {"scene", {}, 1}};
  const SynthOptions again = read(to_json(options).dump());
  EXPECT_EQ(to_json(again).dump(), to_json(options).dump());
}

TEST(Options, ExpandAMixtureByFamilyKindAndLevel) {
  const auto draws = expand_mixture({{"scene.*", {"one"}, 6}, {"video.when", {"f3", "f8"}, 1}});
  double scenes = 0, whens = 0;
  for (const auto& draw : draws) (draw.family->name == "scene" ? scenes : whens) += draw.weight;
  EXPECT_NEAR(scenes, 6, 1e-9);
  EXPECT_NEAR(whens, 1, 1e-9);
  EXPECT_EQ(draws.back().level, level_named(family_named("video"), "f8"));
}

TEST(Options, NameWhatIsWrong) {
  EXPECT_TRUE(says(error(R"({"sede": 1})"), "unknown key \"sede\""));
  EXPECT_TRUE(says(error(R"({"seed": -1})"), "seed: expected a whole number from 0"));
  EXPECT_TRUE(says(error(R"({"seed": "x"})"), "seed"));
  EXPECT_TRUE(says(error(R"({"split": "test"})"), "\"test\" is none of train, heldout, all"));
  EXPECT_TRUE(says(error(R"({"codec": "vp9"})"), "\"vp9\" is none of raw, jpeg, dct, h264"));
  EXPECT_TRUE(says(error(R"({"image_codec": "h264"})"), "is for clips"));
  EXPECT_TRUE(says(error(R"({"sampler": "best"})"), "\"best\" is none of all, native, remote"));
  EXPECT_TRUE(says(error(R"({"caption_noise": 1.5})"), "caption_noise: 1.5 is not from 0 to 1"));
  EXPECT_TRUE(says(error(R"({"min_side": 200, "max_side": 150})"), "min_side: 200 is above max_side, 150"));
  EXPECT_TRUE(says(error(R"({"max_side": 99999})"), "max_side: 99999 is not from"));
  EXPECT_TRUE(says(error(R"({"min_glyph": 30, "max_glyph": 20})"), "max_glyph: 20 is not from 30"));
  EXPECT_TRUE(says(error(R"({"fps": 0})"), "fps: 0 is not from"));
  EXPECT_TRUE(says(error(R"({"fps": 2, "render_fps": 1})"), "render_fps: 1 is not from 2"));
  EXPECT_TRUE(says(error(R"({"mixture": {}})"), "mixture: expected a list"));
  EXPECT_TRUE(says(error(R"({"mixture": [{"weight": 1}]})"), "kind"));
  EXPECT_TRUE(says(error(R"({"mixture": [{"kind": "scene.taste"}]})"), "no such kind"));
  EXPECT_TRUE(says(error(R"({"mixture": [{"kind": "cooking"}]})"), "no such family"));
  EXPECT_TRUE(says(error(R"({"mixture": [{"kind": ""}]})"), "no such family"));
  EXPECT_TRUE(says(error(R"({"mixture": [{"kind": "scene.odd", "levels": ["one"]}]})"),
                   "cannot be asked at level one"));
  EXPECT_TRUE(says(error(R"({"mixture": [{"kind": "scene", "levels": [1]}]})"), "levels: expected names"));
  EXPECT_TRUE(says(error(R"({"mixture": [{"kind": "scene", "weight": -1}]})"), "weight: -1 is not from 0"));
  EXPECT_TRUE(says(error_of([] {
                     SynthOptions options;
                     options.mixture = {{"scene", {}, 0}};
                     Generator generator(options);
                   }),
                   "no weight is above 0"));
  EXPECT_TRUE(says(error("[]"), "expected a JSON object"));
}

}  // namespace
}  // namespace vl3::test
