#include "preprocess/target_size.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/json.h"
#include "support/temp_dir.h"

namespace vl3::preprocess {
namespace {

using test::error_of;
using weights::PreprocessConfig;

MediaShape video(int64_t frames, int64_t height, int64_t width) {
  return {MediaKind::kVideo, {height, width}, frames};
}
MediaShape image(int64_t height, int64_t width) { return {MediaKind::kImage, {height, width}, 1}; }

PreprocessConfig config_of(Flow flow, int64_t max_tokens = 16384) {
  PreprocessConfig config;
  config.flow = flow;
  config.max_tokens = max_tokens;
  return config;
}

/// A table of the golden set; null where a subset does not hold it.
Json resize_table() {
  const auto path = test::golden_dir() / "tables" / "resize.json";
  return std::filesystem::exists(path) ? read_json_file(path) : Json();
}

Size size_of(const Json& pair) { return {pair.at(0), pair.at(1)}; }

TEST(TargetSizeGolden, OneMediumInBothFlows) {
  const Json table = resize_table();
  if (table.is_null()) GTEST_SKIP() << "the golden set holds no tables/resize.json";
  for (const Json& row : table.at("single")) {
    SCOPED_TRACE(row.dump());
    const int64_t merge = row.at(2);
    const int64_t max_tokens = row.at(3);
    const int64_t frames = row.at(4);
    PreprocessConfig config;
    config.patch_size = table.at("patch");
    config.image_merge_size = config.video_merge_size = merge;
    config.min_tokens = table.at("min_tokens");
    config.max_tokens = max_tokens;
    const int64_t f = config.patch_size * merge;
    config.image_min_pixels = config.video_min_pixels = config.min_tokens * f * f;
    config.image_max_pixels = config.video_max_pixels = max_tokens * f * f;
    for (const MediaKind kind : {MediaKind::kVideo, MediaKind::kImage}) {
      if (kind == MediaKind::kImage && frames != 1) continue;
      const MediaShape medium{kind, {row.at(0), row.at(1)}, frames};
      config.flow = Flow::kNative;
      if (row.at(5).is_null()) {
        EXPECT_NE(error_of([&] {
                    target_sizes({&medium, 1}, config);
                  }).find("side ratio"),
                  std::string::npos);
      } else {
        EXPECT_EQ(target_sizes({&medium, 1}, config).front(), size_of(row.at(5)));
      }
      config.flow = Flow::kRemote;
      EXPECT_EQ(target_sizes({&medium, 1}, config).front(), size_of(row.at(6)));
    }
  }
}

TEST(TargetSizeGolden, SeveralMediaOfOneRequest) {
  const Json table = resize_table();
  if (table.is_null() || !table.contains("multi"))
    GTEST_SKIP() << "the golden set holds no requests of several media";
  for (const Json& row : table.at("multi")) {
    SCOPED_TRACE(row.dump());
    const std::vector<int64_t> merges = row.at(1);
    PreprocessConfig config;
    config.patch_size = table.at("patch");
    config.min_tokens = table.at("min_tokens");
    config.max_tokens = row.at(2);
    config.image_merge_size = *std::ranges::min_element(merges);
    config.video_merge_size = *std::ranges::max_element(merges);
    std::vector<MediaShape> media;
    for (size_t i = 0; i < merges.size(); ++i) {
      const Json& item = row.at(0).at(i);
      const bool is_video = merges[i] == config.video_merge_size;
      media.push_back(
          {is_video ? MediaKind::kVideo : MediaKind::kImage, {item.at(1), item.at(2)}, item.at(0)});
    }
    const std::vector<Size> found = target_sizes(media, config);
    ASSERT_EQ(found.size(), row.at(3).size());
    for (size_t i = 0; i < found.size(); ++i) {
      // Where the reference's side is 0 (it fails later), ours is one token.
      const Size wanted = size_of(row.at(3).at(i));
      const int64_t f = config.patch_size * merges[i];
      EXPECT_EQ(found[i], (Size{std::max(wanted.height, f), std::max(wanted.width, f)})) << "medium " << i;
    }
  }
}

TEST(TargetSize, RoundsHalvesToTheEvenMultiple) {
  PreprocessConfig config = config_of(Flow::kRemote);
  config.min_tokens = 0;
  const std::vector<MediaShape> media = {image(21, 35), image(49, 63)};  // 1.5, 2.5, 3.5, 4.5 patches
  EXPECT_EQ(target_sizes(media, config), (std::vector<Size>{{28, 28}, {56, 56}}));
}

TEST(TargetSize, PublishedSampleOfTheReference) {
  const MediaShape sample = image(1080, 1920);
  for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
    EXPECT_EQ(target_sizes({&sample, 1}, config_of(flow)).front(), (Size{77 * 14, 137 * 14}));
  }
}

TEST(TargetSize, OfficialFlowSharesTheBudgetNativeDoesNot) {
  const std::vector<MediaShape> media = {image(1792, 1792), image(1792, 1792)};
  EXPECT_EQ(target_sizes(media, config_of(Flow::kNative)).front(), (Size{1792, 1792}));
  EXPECT_EQ(target_sizes(media, config_of(Flow::kRemote)).front(), (Size{1260, 1260}));
}

TEST(TargetSize, MixedRequestNeverCollapsesASide) {
  const std::vector<MediaShape> media = {video(100, 2000, 2000), image(20, 2000)};
  const std::vector<Size> sizes = target_sizes(media, config_of(Flow::kRemote, 256));
  EXPECT_EQ(sizes[1].height, 14);
}

TEST(TargetSize, PropertiesOfRandomRequests) {
  std::mt19937 random(1);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    PreprocessConfig config = config_of(round % 2 == 0 ? Flow::kRemote : Flow::kNative, pick(600, 20000));
    std::vector<MediaShape> media;
    for (int64_t i = pick(1, 5); i > 0; --i) {
      const int64_t height = pick(20, 3000);
      const int64_t width = pick(20, 3000);
      media.push_back(pick(0, 1) == 0 ? image(height, width) : video(pick(1, 6), height, width));
    }
    const std::vector<Size> sizes = target_sizes(media, config);
    ASSERT_EQ(sizes.size(), media.size());
    int64_t tokens = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const int64_t f = token_side(media[i].kind, config);
      ASSERT_TRUE(sizes[i].height >= f && sizes[i].height % f == 0);
      ASSERT_TRUE(sizes[i].width >= f && sizes[i].width % f == 0);
      const int64_t pixels = sizes[i].height * sizes[i].width;
      tokens += media[i].frames * pixels / (f * f);
      if (config.flow == Flow::kNative) {
        const bool is_video = media[i].kind == MediaKind::kVideo;
        ASSERT_LE(pixels, (is_video ? config.video_max_pixels : config.image_max_pixels) / media[i].frames);
      }
    }
    const int64_t minima = 16 * 30;  // of every frame
    ASSERT_TRUE(config.flow == Flow::kNative || tokens <= config.max_tokens + minima);
  }
}

TEST(TargetSize, RefusesImpossibleMediaAndLimits) {
  const auto error = [](MediaShape medium, PreprocessConfig config) {
    return error_of([&] { target_sizes({&medium, 1}, config); });
  };
  const PreprocessConfig remote = config_of(Flow::kRemote);
  const PreprocessConfig native = config_of(Flow::kNative);
  EXPECT_NE(error(image(0, 10), remote).find("10x0 pixels"), std::string::npos);
  EXPECT_NE(error(image(10, int64_t{1} << 40), native).find("each side must be"), std::string::npos);
  EXPECT_NE(error(video(0, 10, 10), remote).find("0 frames"), std::string::npos);
  EXPECT_NE(error({MediaKind::kImage, {10, 10}, 2}, remote).find("an image is 1"), std::string::npos);
  EXPECT_NE(error(image(1, 201), native).find("side ratio of 201.0"), std::string::npos);
  EXPECT_EQ(error(image(1, 200), native), "");
  EXPECT_NE(error(video(20'000'000, 10, 10), native).find("less than one pixel"), std::string::npos);
  PreprocessConfig broken = remote;
  broken.patch_size = 0;
  EXPECT_NE(error(image(10, 10), broken).find("patch_size = 0"), std::string::npos);
  broken = remote;
  broken.max_tokens = INT64_MAX;
  EXPECT_NE(error(image(10, 10), broken).find("max_tokens"), std::string::npos);
  broken = native;
  broken.image_max_pixels = -1;
  EXPECT_NE(error(image(10, 10), broken).find("max_pixels = -1"), std::string::npos);
}

}  // namespace
}  // namespace vl3::preprocess
