// What lies in the output folder after a run, and after one that failed.
#include "curate/export_step.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/file.h"
#include "curate/pictures.h"
#include "curate/result_stage.h"
#include "media/png_writer.h"
#include "synth/video_encoder.h"

namespace vl3::curate {
namespace {

using test::config_for;
using test::run;
using test::TempDir;

const Steps kMerge{false, true, true, true};

// One that was gone stopped the run.
TEST(ExportStep, AMediumThatIsGoneCostsItsOwnLine) {
  const TempDir dir;
  test::write_collection(dir, 5);
  const std::vector<std::string> set = {"export.format=both"};
  run(config_for(dir, set), {true, false, false, false});
  std::filesystem::remove(dir / "in/media/002.jpg");
  run(config_for(dir, set), kMerge);
  const std::vector<Json> kept = test::lines_of(dir / "out/kept.jsonl");
  ASSERT_EQ(kept.size(), 5u);
  EXPECT_EQ(kept[2].at("not_exported"), "missing");
  EXPECT_NE(kept[2].at("detail").get<std::string>().find("002.jpg"), std::string::npos);
  EXPECT_EQ(test::lines_of(dir / "out/train.jsonl").size(), 4u);
}

TEST(ExportStep, WhatAnEarlierFormatLeftGoes) {
  const TempDir dir;
  test::write_collection(dir, 3);
  run(config_for(dir, {"export.format=both"}));
  EXPECT_TRUE(std::filesystem::exists(dir / "out/webdataset/00000.tar"));
  run(config_for(dir));
  EXPECT_FALSE(std::filesystem::exists(dir / "out/webdataset"));
  EXPECT_TRUE(std::filesystem::exists(dir / "out/train.jsonl"));
  run(config_for(dir, {"export.format=webdataset"}));
  EXPECT_TRUE(std::filesystem::exists(dir / "out/webdataset/00000.tar"));
  EXPECT_FALSE(std::filesystem::exists(dir / "out/train.jsonl"));
  EXPECT_EQ(vl3::test::names_in(dir / "out"),
            (std::set<std::string>{"dropped.jsonl", "kept.jsonl", "recipe.toml", "report.html", "webdataset",
                                   "work"}));
}

// webdataset/ was emptied first and filled then.
TEST(ExportStep, OldResultsStayWholeUntilTheNewOnesAre) {
  const TempDir dir;
  test::write_collection(dir, 20);
  const std::vector<std::string> set = {"export.format=both", "export.shard_items=4"};
  run(config_for(dir, set));
  const std::string tar = read_file(dir / "out/webdataset/00001.tar", 1 << 30);
  CurateHooks hooks;
  int written = 0;
  hooks.step_progress = [&](const char* step, int64_t, int64_t) { written += std::string(step) == "write"; };
  hooks.cancelled = [&] { return written == 2; };
  std::vector<std::string> stricter = set;
  stricter.emplace_back("aspect.max_ratio=1.1");
  EXPECT_NE(
      test::error_of([&] { run(config_for(dir, stricter), {}, {}, hooks); }).find("stopped while writing"),
      std::string::npos);
  EXPECT_EQ(read_file(dir / "out/webdataset/00001.tar", 1 << 30), tar);
  EXPECT_EQ(test::lines_of(dir / "out/kept.jsonl").size(), 20u);
  EXPECT_FALSE(std::filesystem::exists(dir / "out/.new"));
}

// Somebody's list, tars and recipe were overwritten.
TEST(ExportStep, AFolderThatIsNotOursKeepsItsFiles) {
  const TempDir dir;
  test::write_collection(dir, 2);
  for (const char* name : {"train.jsonl", "webdataset/mine.tar", "recipe.toml", "media/a.jpg"}) {
    const std::filesystem::path file = dir.write(std::string("out/") + name, "somebody's");
    EXPECT_NE(test::error_of([&] { run(config_for(dir)); }).find("is there already, and of no earlier run"),
              std::string::npos)
        << name;
    EXPECT_EQ(read_file(file, 100), "somebody's");
    std::filesystem::remove_all(dir / "out");
  }
  run(config_for(dir));
  EXPECT_EQ(run(config_for(dir)).kept, 2);  // over its own results
}

TEST(ExportStep, WhatAKilledRunLeftGoes) {
  const TempDir dir;
  (void)dir.write("out/.new/kept.jsonl", "of a killed run");
  ResultStage stage(dir / "out");
  EXPECT_FALSE(std::filesystem::exists(stage.folder() / "kept.jsonl"));
}

// Media that came out of tars and are kept no more stayed.
TEST(ExportStep, MediaOutOfTarsAreThoseOfTheList) {
  const TempDir dir;
  test::write_collection(dir, 6);
  run(config_for(dir, {"export.format=webdataset"}));
  std::vector<std::string> set = {"input.path=" + (dir / "out/webdataset").string(),
                                  "output=" + (dir / "second").string()};
  run(config_for(dir, set));
  EXPECT_EQ(vl3::test::names_in(dir / "second/media").size(), 6u);
  set.emplace_back("clusters.target_items=2");
  set.emplace_back("clusters.count=2");
  const CurateReport fewer = run(config_for(dir, set));
  EXPECT_LT(fewer.kept, 6);
  EXPECT_EQ(std::ssize(vl3::test::names_in(dir / "second/media")), fewer.kept);
}

// They were in train.jsonl all the same.
TEST(ExportStep, MediaThatAreGoneOrChangedAreNotTrainedOn) {
  const TempDir dir;
  test::write_collection(dir, 4);
  run(config_for(dir), {true, false, false, false});
  std::filesystem::remove(dir / "in/media/001.jpg");
  (void)dir.write("in/media/002.jpg", "another file");
  run(config_for(dir));
  EXPECT_EQ(test::lines_of(dir / "out/train.jsonl").size(), 2u);
  const std::vector<Json> kept = test::lines_of(dir / "out/kept.jsonl");
  ASSERT_EQ(kept.size(), 4u);
  EXPECT_EQ(kept[1].at("not_exported"), "missing");
  EXPECT_EQ(kept[2].at("not_exported"), "changed");
  EXPECT_EQ(kept[2].at("detail").get<std::string>().find("12 bytes, "), 0u);
}

TEST(ExportStep, DetailsOfKeptItemsAreWritten) {
  const TempDir dir;
  (void)dir.write("in/a.jpg", test::jpeg(test::scene(1)));
  (void)dir.write("in/a.txt", "caf\xe9");
  run(config_for(dir, {"input.path=" + (dir / "in").string()}));
  const std::vector<Json> kept = test::lines_of(dir / "out/kept.jsonl");
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].at("detail"), "a.txt: is not UTF-8, and no caption");
}

TEST(ExportStep, UnsafeTextsOfAnAnnotationAreNotExported) {
  const TempDir dir;
  test::write_collection(dir, 1);
  std::ofstream(dir / "in/items.jsonl")
      << R"({"image": "media/000.jpg", "caption": "A sign.", "texts": [{"text": "<image>\u0000<|im_end|>", "box": [1, 2, 3, 4]}]})"
      << "\n";
  run(config_for(dir, {"export.caption=ocr"}));
  const std::vector<Json> train = test::lines_of(dir / "out/train.jsonl");
  ASSERT_EQ(train.size(), 1u);
  EXPECT_EQ(train[0].at("conversations")[1].at("value"), "A sign.");
}

// Every video was called .mp4.
TEST(ExportStep, VideosInTarsAreCalledWhatTheyAre) {
  const TempDir dir;
  std::string gif("GIF89a\x08\0\x08\0\x80\0\0\xff\xff\xff\0\0\0", 19);
  for (int frame = 0; frame < 3; ++frame) {
    gif += std::string("\x21\xf9\x04\0\x64\0\0\0\x2c\0\0\0\0\x08\0\x08\0\0\x02\x07", 20);
    gif += std::string("\x84\x8f\xa9\xcb\xed\x5d\0\0", 8);
  }
  gif += ";";
  (void)dir.write("in/a.gif", gif);
  std::vector<media::Frame> frames;
  for (int i = 0; i < 12; ++i)
    frames.push_back(test::draw(64, 96, [=](int y, int x, int) { return x / 8 == i ? 20 + y * 3 : 200; }));
  (void)dir.write("in/b.mp4", synth::encode_h264_mp4(frames, 4, 20));
  (void)dir.write(
      "in/items.jsonl",
      "{\"image\": \"a.gif\", \"caption\": \"A dot\"}\n{\"video\": \"b.mp4\", \"caption\": \"A bar\"}\n");
  run(config_for(
      dir, {"export.format=webdataset", "quality.min_contrast=0", "quality.max_blur=1", "validity.min_side=1",
            "video.max_static_share=1", "quality.max_dark_share=1", "quality.max_bright_share=1"}));
  const std::string tar = read_file(dir / "out/webdataset/00000.tar", 1 << 30);
  EXPECT_NE(tar.find("000000001.mp4"), std::string::npos);
  EXPECT_EQ(tar.find("000000000.mp4"), std::string::npos);
}

TEST(ExportStep, SaysWhereNamesAreLookedForWhenMostAreMissing) {
  const TempDir dir;
  test::write_collection(dir, 4);
  std::string notes;
  CurateHooks hooks;
  hooks.note = [&](const std::string& line) { notes += line + "\n"; };
  run(config_for(dir), {}, {}, hooks);
  EXPECT_EQ(notes.find("are missing"), std::string::npos) << notes;
  std::filesystem::create_directories(dir / "elsewhere");
  run(config_for(dir,
                 {"input.data_root=" + (dir / "elsewhere").string(), "output=" + (dir / "out2").string()}),
      {}, {}, hooks);
  EXPECT_NE(notes.find("4 of 4 items are missing"), std::string::npos) << notes;
}

}  // namespace
}  // namespace vl3::curate
