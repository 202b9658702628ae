#include "train/patch_loss.h"

#include <gtest/gtest.h>

#include "data/patch_labels.h"
#include "train/golden_train.h"
#include "train/random_model.h"
#include "train/train_step.h"

namespace vl3::train {
namespace {

TrainConfig encoder_alone() {
  TrainConfig config;
  config.dtype = "float32";
  config.objective = "patch_labels";
  config.lr.vision_encoder_lr = 1e-2;
  return config;
}

// Pictures whose brightness says what their patches show; `pictures` of two sizes in one row.
data::PackedRow row_of(uint64_t seed, int64_t pictures) {
  data::PackedRow row;
  row.cu_seqlens.push_back(0);
  for (int64_t i = 0; i < pictures; ++i) {
    data::VisualMedium medium;
    medium.grid = {1, 2, i % 2 == 0 ? 3 : 4};
    medium.merge = 1;
    const int64_t patches = 2 * medium.grid.w;
    for (int64_t p = 0; p < patches; ++p) {
      const int64_t content = static_cast<int64_t>((seed + static_cast<uint64_t>(i * 7 + p)) % 3);
      medium.patches_u8.insert(medium.patches_u8.end(), 588, static_cast<uint8_t>(content * 100));
      row.labels.insert(row.labels.end(), {content, content == 0 ? data::kIgnoreIndex : content,
                                           data::kIgnoreIndex, data::kIgnoreIndex});
      medium.keep.push_back(0);
    }
    row.cu_seqlens.push_back(static_cast<int64_t>(row.labels.size()));
    row.sample_ids.push_back("picture" + std::to_string(i));
    row.media.push_back(std::move(medium));
  }
  row.input_ids.assign(row.labels.size(), 0);
  return row;
}

class PatchLossTest : public testing::Test {
 protected:
  TrainStep make(const TrainConfig& config) { return TrainStep(checkpoint_, config, 40, at::kCPU, *alone_); }
  test::TempDir folder_;
  std::shared_ptr<const weights::Checkpoint> checkpoint_ =
      test::random_model(folder_ / "model", /*tied=*/true);
  std::unique_ptr<Collective> alone_ = single_process();
};

TEST_F(PatchLossTest, LearnsAndMovesTheEncoderOnly) {
  TrainStep step = make(encoder_alone());
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, weight] : step.weights()) before[name] = weight.clone();
  EXPECT_FALSE(before.contains(kPatchHead)) << "the head is no weight of the model";
  StepLog first, last;
  for (int i = 0; i < 25; ++i) {
    last = step.step(std::vector{row_of(1, 4), row_of(2, 3)});
    if (i == 0) first = last;
  }
  EXPECT_LT(last.loss, 0.5 * first.loss);
  EXPECT_EQ(last.labelled_tokens, 28 + 20) << "patches";
  EXPECT_EQ(last.answers.at("patch.content").asked, 48);
  EXPECT_GT(last.answers.at("patch.content").right, 40);
  EXPECT_EQ(last.answers.at("patch.row").asked, 0);
  size_t moved = 0;
  for (const auto& [name, weight] : step.weights()) {
    const bool same = at::equal(weight, before.at(name));
    moved += !same;
    EXPECT_TRUE(same || part_of(name) == Part::kVisionEncoder) << name;
  }
  EXPECT_GT(moved, 10u);
}

TEST_F(PatchLossTest, APicturesLossDoesNotDependOnItsCompany) {
  TrainStep step = make(encoder_alone());
  const data::PackedRow together = row_of(3, 4);
  TrainStep::Loss all = step.evaluate(std::vector{together}), sum;
  for (size_t i = 0; i < together.media.size(); ++i) {
    data::PackedRow alone;
    alone.media = {together.media[i]};
    alone.labels.assign(together.labels.begin() + together.cu_seqlens[i],
                        together.labels.begin() + together.cu_seqlens[i + 1]);
    alone.cu_seqlens = {0, static_cast<int64_t>(alone.labels.size())};
    alone.input_ids.assign(alone.labels.size(), 0);
    const TrainStep::Loss one = step.evaluate(std::vector{alone});
    sum.sum += one.sum;
    sum.labelled_tokens += one.labelled_tokens;
  }
  EXPECT_NEAR(all.sum, sum.sum, 1e-4 * all.sum);
  EXPECT_EQ(all.labelled_tokens, sum.labelled_tokens);
}

TEST_F(PatchLossTest, ResumesBitByBitWithItsHead) {
  for (const std::string dtype : {"float32", "bfloat16"}) {
    TrainConfig config = encoder_alone();
    config.dtype = dtype;
    TrainStep whole = make(config);
    std::vector<double> losses;
    std::map<std::string, at::Tensor> state, weights;
    for (uint64_t i = 0; i < 6; ++i) {
      if (i == 3) {
        state = test::collected(whole.state());
        for (const auto& [name, weight] : whole.weights()) weights[name] = weight.clone();
      }
      losses.push_back(whole.step(std::vector{row_of(i, 3)}).loss);
    }
    ASSERT_TRUE(state.contains(kPatchHead));
    TrainStep resumed(test::saved(*checkpoint_, weights, folder_ / ("saved_" + dtype)), config, 40, at::kCPU,
                      *alone_);
    resumed.load_state(state);
    for (uint64_t i = 3; i < 6; ++i)
      EXPECT_EQ(resumed.step(std::vector{row_of(i, 3)}).loss, losses[i]) << dtype;
    state.erase(kPatchHead);
    EXPECT_NE(test::error_of([&] { resumed.load_state(state); }).find("lacks model.vision_model.patch_head"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace vl3::train
