#include "preprocess/request_plan.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;
using weights::PreprocessConfig;

const MediaShape kVideo{MediaKind::kVideo, {1080, 1920}, 180};
const MediaShape kImage{MediaKind::kImage, {1080, 1920}, 1};

PreprocessConfig config_of(Flow flow) {
  PreprocessConfig config;
  config.flow = flow;
  return config;
}

TEST(RequestPlan, CountsPatchesAndTokens) {
  const VisualPlan plan = plan_request({&kVideo, 1}, config_of(Flow::kRemote));
  EXPECT_EQ(plan.media.front().size, (Size{196, 336}));
  EXPECT_EQ(plan.media.front().grid, (Grid{180, 14, 24}));
  EXPECT_EQ(plan.media.front().tokens_per_frame, 84);
  EXPECT_EQ(plan.total_frames, 180);
  EXPECT_EQ(plan.total_patches, 180 * 14 * 24);
  EXPECT_EQ(plan.total_tokens, 180 * 84);
  EXPECT_EQ(plan_request({&kImage, 1}, config_of(Flow::kRemote)).total_tokens, 10549);
  EXPECT_EQ(plan_request({}, config_of(Flow::kRemote)).total_tokens, 0);
}

TEST(RequestPlan, KeepsTheCallersTokenLimitInBothFlows) {
  const std::vector<MediaShape> media = {kImage, kVideo, {MediaKind::kImage, {300, 200}, 1}};
  for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
    int64_t before = 0;
    for (const int64_t limit : {200, 1000, 3000, 12000}) {
      const VisualPlan plan = plan_request(media, config_of(flow), limit);
      EXPECT_LE(plan.total_tokens, limit);
      EXPECT_GE(plan.total_tokens, before);
      before = plan.total_tokens;
    }
    EXPECT_GT(before, 9000);
  }
}

TEST(RequestPlan, NativeLimitChangesNothingWhereTheSumFits) {
  const std::vector<MediaShape> media = {kImage, kImage};
  const VisualPlan free = plan_request(media, config_of(Flow::kNative));
  const VisualPlan limited = plan_request(media, config_of(Flow::kNative), free.total_tokens);
  EXPECT_EQ(limited.media[0].size, free.media[0].size);
  EXPECT_LT(plan_request(media, config_of(Flow::kNative), free.total_tokens - 1).total_tokens,
            free.total_tokens);
}

TEST(RequestPlan, RefusesALimitNoSizeCanKeep) {
  for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
    const std::string error = error_of([&] { plan_request({&kVideo, 1}, config_of(flow), 100); });
    EXPECT_NE(error.find("limit reached: 180 frames need at least"), std::string::npos) << error;
  }
  EXPECT_EQ(plan_request({&kVideo, 1}, config_of(Flow::kNative), 180).total_tokens, 180);
  EXPECT_NE(error_of([&] {
              plan_request({&kImage, 1}, config_of(Flow::kNative), 0);
            }).find("at least 1"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
