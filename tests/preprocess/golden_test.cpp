// Every case of the golden set: sizes, grids, resized bytes, float pixels, masks, for both flows.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "preprocess/compression_mask.h"
#include "preprocess/golden_request.h"
#include "preprocess/normalise.h"
#include "preprocess/request_plan.h"
#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

// Walking a set that lacks a listed case must not look like passing.
TEST(GoldenSet, AListedCaseWithoutItsFilesIsAnError) {
  const test::TempDir dir;
  dir.write("manifest.json", R"({"cases": ["cases/tiny/gone.remote"]})");
  const char* before = std::getenv("VL3_GOLDEN_DIR");
  const std::string restored = before != nullptr ? before : "";
  ::setenv("VL3_GOLDEN_DIR", dir.path().c_str(), 1);
  const std::string error = test::error_of([] { test::golden_cases(); });
  if (before != nullptr) {
    ::setenv("VL3_GOLDEN_DIR", restored.c_str(), 1);
  } else {
    ::unsetenv("VL3_GOLDEN_DIR");
  }
  EXPECT_NE(error.find("lists cases/tiny/gone.remote"), std::string::npos) << error;
}

class PreprocessGolden : public testing::Test {
 protected:
  void SetUp() override {
    cases_ = golden_requests();
    if (cases_.empty()) GTEST_SKIP() << "the golden set holds no case with media";
  }
  std::vector<GoldenRequest> cases_;
};

Json concatenated(const Json& meta, const char* images, const char* videos) {
  Json all = Json::array();
  for (const char* key : {images, videos}) {
    if (meta.contains(key)) all.insert(all.end(), meta.at(key).begin(), meta.at(key).end());
  }
  return all;
}

TEST_F(PreprocessGolden, SizesGridsAndMerges) {
  for (const GoldenRequest& golden : cases_) {
    SCOPED_TRACE(golden.name);
    const VisualPlan plan = plan_request(golden.shapes(), golden.config);
    Json sizes = Json::array();
    Json grids = Json::array();
    Json merges = Json::array();
    for (const MediumPlan& medium : plan.media) {
      sizes.push_back({medium.size.height, medium.size.width});
      grids.push_back({medium.grid.t, medium.grid.h, medium.grid.w});
      merges.push_back(medium.merge);
    }
    if (golden.config.flow == Flow::kRemote) {
      EXPECT_EQ(sizes, golden.meta.at("target_sizes"));
      EXPECT_EQ(grids, golden.meta.at("grid_sizes"));
      EXPECT_EQ(merges, golden.meta.at("merge_sizes"));
    } else {
      EXPECT_EQ(grids, concatenated(golden.meta, "image_grid_thw", "video_grid_thw"));
      EXPECT_EQ(merges, concatenated(golden.meta, "image_merge_sizes", "video_merge_sizes"));
    }
  }
}

TEST_F(PreprocessGolden, ResizedBytesInPatchOrder) {
  for (const GoldenRequest& golden : cases_) {
    SCOPED_TRACE(golden.name);
    std::vector<uint8_t> found;
    for (const PatchBatch& batch : golden.batches()) {
      found.insert(found.end(), batch.patches_u8.begin(), batch.patches_u8.end());
    }
    EXPECT_TRUE(found == golden.tensors.at("patches_u8").as<uint8_t>());
  }
}

TEST_F(PreprocessGolden, PixelValues) {
  int compared = 0;
  double worst[2] = {0, 0};  // remote, native
  for (const GoldenRequest& golden : cases_) {
    SCOPED_TRACE(golden.name);
    std::vector<float> wanted;
    for (const char* name : {"pixel_values", "pixel_values_videos"}) {
      if (!golden.tensors.has(name)) continue;
      const std::vector<float> part = golden.tensors.at(name).as<float>();
      wanted.insert(wanted.end(), part.begin(), part.end());
    }
    if (wanted.empty()) continue;
    const std::vector<uint8_t> patches = golden.tensors.at("patches_u8").as<uint8_t>();
    ASSERT_EQ(wanted.size(), patches.size());
    std::vector<float> found(patches.size());
    normalise(patches, found, make_normalise_table(golden.config), golden.config.patch_size);
    for (size_t i = 0; i < found.size(); ++i) {
      double& flow_worst = worst[golden.config.flow == Flow::kNative ? 1 : 0];
      flow_worst = std::max<double>(flow_worst, std::fabs(found[i] - wanted[i]));
    }
    EXPECT_LE(std::max(worst[0], worst[1]), 1e-6);
    ++compared;
  }
  RecordProperty("worst_difference_remote", fmt::format("{:.3g}", worst[0]));
  RecordProperty("worst_difference_native", fmt::format("{:.3g}", worst[1]));
  if (compared == 0) GTEST_SKIP() << "no case of the set holds pixel_values";
}

TEST_F(PreprocessGolden, CompressionMasks) {
  int compared = 0;
  for (const GoldenRequest& golden : cases_) {
    SCOPED_TRACE(golden.name);
    if (!golden.tensors.has("compression_mask")) continue;
    const std::vector<PatchBatch> batches = golden.batches();
    std::vector<uint8_t> found;
    Json kept = Json::array();
    for (size_t i = 0; i < batches.size(); ++i) {
      // The native goldens list videos only.
      if (golden.config.flow == Flow::kNative && golden.media[i].kind == MediaKind::kImage) continue;
      const std::vector<uint8_t> mask = compression_mask(batches[i], golden.config, {});
      Json kept_of_medium = Json::array();
      for (auto frame = mask.begin(); frame != mask.end(); frame += batches[i].tokens_per_frame()) {
        kept_of_medium.push_back(std::count(frame, frame + batches[i].tokens_per_frame(), 1));
      }
      kept.push_back(kept_of_medium);
      found.insert(found.end(), mask.begin(), mask.end());
    }
    EXPECT_EQ(found, golden.tensors.at("compression_mask").as<uint8_t>());
    EXPECT_EQ(kept, golden.meta.at("kept_tokens_per_frame"));
    ++compared;
  }
  if (compared == 0) GTEST_SKIP() << "no case of the set holds a compression_mask";
}

}  // namespace
}  // namespace vl3::preprocess
