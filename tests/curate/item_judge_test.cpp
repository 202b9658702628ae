#include "curate/item_judge.h"

#include <gtest/gtest.h>

#include "curate/pictures.h"
#include "synth/video_encoder.h"

namespace vl3::curate {
namespace {

using test::TempDir;

TEST(ItemJudge, OfAVideoOnlyTheAnnotationsPartIsJudged) {
  std::vector<media::Frame> frames;
  for (int i = 0; i < 40; ++i) frames.push_back(test::scene(static_cast<uint64_t>(i < 20 ? 1 : 2)));
  const TempDir dir;
  (void)dir.write("v.mp4", synth::encode_h264_mp4(frames, 4, 20));  // ten seconds, a cut after five
  Item item;
  item.root = std::filesystem::canonical(dir.path());
  item.media = "v.mp4";
  const CurateConfig config;
  const Judged whole = judge_item(item, config);
  ASSERT_EQ(whole.row.reason, "") << whole.row.detail;
  EXPECT_EQ(whole.row.scores.at("cuts"), 1);
  item.start_s = 6;
  item.end_s = 9;
  const Judged part = judge_item(item, config);
  ASSERT_EQ(part.row.reason, "") << part.row.detail;
  EXPECT_EQ(part.row.scores.at("cuts"), 0);
  EXPECT_GE(part.row.clip_start_s, 6);
  EXPECT_LE(part.row.clip_end_s, 9);
  EXPECT_GT(part.row.clip_end_s, 7);
}

Item item_of_a_picture(const TempDir& dir) {
  (void)dir.write("a.jpg", test::jpeg(test::scene(1)));
  Item item;
  item.root = std::filesystem::canonical(dir.path());
  item.media = "a.jpg";
  return item;
}

TEST(ItemJudge, WrittenNamesHaveTheirFolderBeforeThem) {
  const TempDir dir;
  Item item = item_of_a_picture(dir);
  item.prefix = "fa/";
  EXPECT_EQ(judge_item(item, CurateConfig{}).row.media, "fa/a.jpg");
  item.media = "../a.jpg";  // what is refused is shown as it was given
  EXPECT_EQ(judge_item(item, CurateConfig{}).row.media, "../a.jpg");
}

TEST(ItemJudge, ADetailWithoutAReasonStays) {
  const TempDir dir;
  Item item = item_of_a_picture(dir);
  item.detail = "a.txt: is not UTF-8, and no caption";
  EXPECT_EQ(judge_item(item, CurateConfig{}).row.detail, item.detail);
}

}  // namespace
}  // namespace vl3::curate
