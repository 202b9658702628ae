#include "train/run_data.h"

#include <gtest/gtest.h>

#include "core/json.h"
#include "support/temp_dir.h"
#include "train/recipe.h"

namespace vl3::train {
namespace {

const std::string kModel = VL3_SOURCE_DIR "/tests/data/seeded_tiny";

// Eight records, all of them one step.
TrainConfig config_of(const test::TempDir& dir, const std::string& mixture,
                      const std::vector<std::string>& set = {}) {
  dir.write("data.json",
            R"({"seed": 3, "questions_per_medium": 3, "max_side": 112, "mixture": )" + mixture + "}");
  return parse_recipe("name=\"a\"\nmodel=\"" + kModel +
                          "\"\nglobal_batch_size=8\nmax_steps=1\n"
                          "[lr]\nllm_lr=1e-3\nvision_encoder_lr=1e-3\n[[data.sources]]\nsynth=\"" +
                          (dir / "data.json").string() + "\"\nsynth_samples=8\n",
                      "r.toml", set);
}

TEST(RunData, MeasuredSamplesAreThoseThatTheStepsHold) {
  const test::TempDir dir;
  const TrainConfig config = config_of(
      dir,
      R"([{"kind": "scene", "levels": ["few"]}, {"kind": "video", "levels": ["f3"]}, {"kind": "text"}])");
  const weights::ModelConfig model = weights::load_model_config(kModel);
  const std::optional<SampleMeans> means = measure_samples(config, model, 8, 1e9);
  ASSERT_TRUE(means);
  EXPECT_EQ(means->samples, 8);

  const auto loader = make_loader(open_records(config), config, model, 0, 1);
  const std::optional<data::StepBatch> step = loader->next();
  ASSERT_TRUE(step);
  double patches = 0, frames = 0, visual = 0;
  for (const data::PackedRow& row : step->rows) {
    visual += static_cast<double>(row.visual_positions.size());
    for (const data::VisualMedium& medium : row.media) {
      frames += static_cast<double>(medium.grid.t);
      patches += static_cast<double>(medium.grid.t * medium.grid.h * medium.grid.w);
    }
  }
  EXPECT_DOUBLE_EQ(means->tokens, static_cast<double>(step->tokens) / 8);
  EXPECT_DOUBLE_EQ(means->visual, visual / 8);
  EXPECT_DOUBLE_EQ(means->patches, patches / 8);
  EXPECT_DOUBLE_EQ(means->frame_patches, patches / frames);
  EXPECT_GT(means->labelled, 1);
  EXPECT_LT(means->labelled, means->tokens - means->visual);
}

TEST(RunData, MeasuringEndsInTimeAfterOneSample) {
  const test::TempDir dir;
  const TrainConfig config = config_of(dir, R"([{"kind": "text"}])");
  const auto means = measure_samples(config, weights::load_model_config(kModel), 8, 0);
  ASSERT_TRUE(means);
  EXPECT_EQ(means->samples, 1);
  EXPECT_EQ(means->patches, 0);
  EXPECT_EQ(means->frame_patches, 0);
}

TEST(RunData, PatchesWithLabelsAreSamplesToo) {
  const test::TempDir dir;
  const TrainConfig config = config_of(dir, R"([{"kind": "scene", "levels": ["few"]}])",
                                       {"objective=patch_labels", "lr.llm_lr=none"});
  const auto means = measure_samples(config, weights::load_model_config(kModel), 8, 1e9);
  ASSERT_TRUE(means);
  EXPECT_EQ(means->samples, 8);
  EXPECT_GT(means->patches, 8);
  EXPECT_EQ(means->visual, 0);
}

}  // namespace
}  // namespace vl3::train
