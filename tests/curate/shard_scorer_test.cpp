#include "curate/shard_scorer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/check.h"
#include "curate/pictures.h"
#include "media/png_writer.h"

namespace vl3::curate {
namespace {

namespace fs = std::filesystem;
using test::config_for;
using test::error_of;
using test::reasons;
using test::run;
using test::TempDir;

// Takes what is not too long, as an encoder does.
class NarrowModel : public PictureModel {
 public:
  int64_t feature_size() const override { return 2; }
  std::vector<Impression> look(const std::vector<Sighting>& items) override {
    std::vector<Impression> impressions;
    for (const Sighting& item : items) {
      const media::Frame& picture = *item.picture;
      VL3_CHECK(picture.width <= 20 * picture.height, kInvalidArgument, "a medium of {}x{} pixels",
                picture.height, picture.width);
      impressions.push_back({{1, 0}, {{"first_pixel", picture.rgb[0] + 0.0}}});
    }
    return impressions;
  }
};

// Whatever `look` does.
class ActingModel : public PictureModel {
 public:
  explicit ActingModel(std::function<void(const std::vector<Sighting>&)> act) : act_(std::move(act)) {}
  std::vector<Impression> look(const std::vector<Sighting>& items) override {
    act_(items);
    return std::vector<Impression>(items.size());
  }

 private:
  std::function<void(const std::vector<Sighting>&)> act_;
};

template <typename Model, typename... Arguments>
CurateHooks hooks_with(Arguments... arguments) {
  CurateHooks hooks;
  hooks.models = [arguments...](const CurateConfig&) {
    Models models;
    models.push_back(std::make_unique<Model>(arguments...));
    return models;
  };
  return hooks;
}

CurateConfig folder_config(const TempDir& dir, const std::vector<std::string>& set = {}) {
  std::vector<std::string> all = {"input.path=" + (dir / "in").string()};
  all.insert(all.end(), set.begin(), set.end());
  return config_for(dir, all);
}

std::vector<Json> rows_of(const TempDir& dir) { return test::lines_of(dir / "out/work/scores/000000.jsonl"); }

TEST(ShardScorer, APictureThatAModelCannotTakeCostsItsOwnLine) {
  const TempDir dir;
  for (int i = 0; i < 3; ++i)
    (void)dir.write(fmt::format("in/{}.jpg", i), test::jpeg(test::scene(static_cast<uint64_t>(i))));
  (void)dir.write("in/1long.png", media::encode_png(test::scene(9, 3, 6000)));
  run(folder_config(dir), {}, {}, hooks_with<NarrowModel>());
  EXPECT_EQ(reasons(dir, 4), (std::vector<std::string>{"", "", "too_small", ""}));
  const std::vector<Json> rows = rows_of(dir);
  EXPECT_EQ(rows[2].at("detail"), "no model's score: a medium of 3x6000 pixels");
  EXPECT_FALSE(rows[2].contains("has_features"));
  EXPECT_FALSE(rows[2].at("scores").contains("first_pixel"));
  EXPECT_TRUE(rows[3].contains("has_features"));
  EXPECT_TRUE(rows[3].at("scores").contains("first_pixel"));
}

TEST(ShardScorer, PicturesMayAllBeOnesThatAModelCannotTake) {
  for (int count : {1, 2}) {
    const TempDir dir;
    for (int i = 0; i < count; ++i)
      (void)dir.write(fmt::format("in/{}.png", i), media::encode_png(test::scene(9, 3, 6000 + i)));
    run(folder_config(dir), {}, {}, hooks_with<NarrowModel>());
    EXPECT_EQ(rows_of(dir).at(0).at("detail"), "no model's score: a medium of 3x6000 pixels");
  }
}

TEST(ShardScorer, AModelThatFailsWithEverythingStopsTheRun) {
  const TempDir dir;
  for (int i = 0; i < 3; ++i)
    (void)dir.write(fmt::format("in/{}.jpg", i), test::jpeg(test::scene(static_cast<uint64_t>(i))));
  const auto error_with = [&](const std::function<void(const std::vector<Sighting>&)>& act) {
    return error_of([&] { run(folder_config(dir), {}, {}, hooks_with<ActingModel>(act)); });
  };
  EXPECT_EQ(error_with([](const auto& items) {
              VL3_FAIL(kInvalidArgument, "5 numbers for {} pictures", items.size());
            }),
            "invalid argument: 5 numbers for 3 pictures");
  // No picture is at fault where each of them passes alone.
  EXPECT_EQ(error_with([](const auto& items) {
              VL3_CHECK(items.size() == 1, kUnsupported, "batches");
            }).find("unsupported: batches"),
            0u);
  // Memory that is short for every picture, though not for a small one.
  EXPECT_THROW(error_with([](const auto& items) {
                 if (items[0].picture->width != items[0].picture->height)
                   throw std::runtime_error("no memory");
               }),
               std::runtime_error);
  EXPECT_FALSE(fs::exists(dir / "out/work/scores/000000.jsonl"));
}

TEST(ShardScorer, BlocksAreBoundedByDecodedBytes) {
  constexpr size_t kPictures = 40;
  constexpr uint64_t kOne = 3 * 100 * 100;
  const TempDir dir;
  for (size_t i = 0; i < kPictures; ++i)
    (void)dir.write(fmt::format("in/{:02}.jpg", i), test::jpeg(test::scene(i, 100, 100)));
  const CurateConfig config = folder_config(dir, {"input.shard_items=100", "workers=2"});
  const OutputLayout layout{config.output};
  fs::create_directories(layout.work());
  std::vector<size_t> blocks;
  Models models;
  models.push_back(std::make_unique<ActingModel>([&](const auto& items) { blocks.push_back(items.size()); }));
  const std::unique_ptr<ItemSource> source = open_source(config.input, layout.work());
  score_shards(*source, config, layout, {}, models, {}, {}, 10 * kOne);
  size_t sum = 0;
  for (const size_t block : blocks) {
    EXPECT_LE(block, 10u + 2u);  // one more for each worker
    sum += block;
  }
  EXPECT_EQ(sum, kPictures);
  const std::vector<Json> rows = rows_of(dir);
  ASSERT_EQ(rows.size(), kPictures);
  for (size_t i = 0; i < kPictures; ++i) EXPECT_EQ(rows[i].at("position"), i);
}

TEST(ShardScorer, WhatKilledProcessesLeftIsRemoved) {
  const TempDir dir;
  const std::string dead = "4194305";  // above the kernel's largest
  const std::string mine = std::to_string(::getpid());
  for (const std::string& name :
       std::vector<std::string>{"000000.jsonl.tmp-" + dead + "-0", "000001.jsonl.tmp-" + dead + "-7",
                                "000002.jsonl.tmp-" + mine + "-3", "000002.jsonl", "000004.jsonl.tmp-x"})
    (void)dir.write("scores/" + name, "{");
  remove_unfinished(dir / "scores", {0, 2});
  EXPECT_EQ(vl3::test::names_in(dir / "scores"),
            (std::set<std::string>{"000001.jsonl.tmp-" + dead + "-7", "000002.jsonl.tmp-" + mine + "-3",
                                   "000002.jsonl"}));
  remove_unfinished(dir / "nowhere", {});
}

}  // namespace
}  // namespace vl3::curate
