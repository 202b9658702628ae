#include "data/synth_list.h"

#include <gtest/gtest.h>

#include <set>

#include "support/temp_dir.h"

namespace vl3::data {
namespace {

DataSource source_of(const test::TempDir& dir, const std::string& options) {
  dir.write("synth.json", options);
  DataSource source;
  source.synth = (dir.path() / "synth.json").string();
  source.synth_samples = 10;
  return source;
}

TEST(SynthList, ARecordIsTheGeneratorsSampleWithItsPictures) {
  const test::TempDir dir;
  const SynthList list(source_of(dir, R"({"seed": 3, "max_side": 112, "mixture": [{"kind": "multi.which"},
                                          {"kind": "video.first", "levels": ["f3"]}, {"kind": "text.copy"}]})"),
                       0);
  std::set<size_t> counts;
  for (int64_t i = 0; i < 30; ++i) {
    const RecordContent content = list.record(i).load();
    const Json json = parse_json(content.json, "annotation");
    const size_t turns = json.at("conversations").size();
    EXPECT_EQ(content.answer_kinds.size() * 2, turns);
    EXPECT_TRUE(content.carried_only);
    counts.insert(content.media.size());
    const RecordContent again = list.record(i).load();
    EXPECT_EQ(again.json, content.json) << "the same number, another sample";
    for (const auto& [name, medium] : content.media) {
      const auto& pictures = *std::get<std::shared_ptr<const preprocess::Pictures>>(medium);
      const auto& others = *std::get<std::shared_ptr<const preprocess::Pictures>>(again.media.at(name));
      ASSERT_EQ(pictures.frames.size(), others.frames.size());
      EXPECT_EQ(pictures.frames.front().rgb, others.frames.front().rgb);
      EXPECT_TRUE(pictures.timestamps.empty() || pictures.timestamps.size() == pictures.frames.size());
    }
  }
  EXPECT_TRUE(counts.contains(0) && counts.contains(1)) << "texts and clips";
  EXPECT_GT(*counts.rbegin(), 1u) << "several images";
}

TEST(SynthList, SaysWhatEachAnswerIsOf) {
  const test::TempDir dir;
  const SynthList list(source_of(dir, R"({"mixture": [{"kind": "text.copy", "levels": ["short"]}]})"), 0);
  const RecordContent content = list.record(0).load();
  ASSERT_FALSE(content.answer_kinds.empty());
  for (const std::string& kind : content.answer_kinds) EXPECT_EQ(kind, "text.copy@short");
}

TEST(SynthList, KindsStandInTheOrderOfTheTurns) {
  const test::TempDir dir;
  const SynthList list(source_of(dir, R"({"mixture": [{"kind": "scene.background", "levels": ["many"]},
                                          {"kind": "scene.describe", "levels": ["many"]}]})"),
                       0);
  for (int64_t i = 0; i < 10; ++i) {
    const RecordContent content = list.record(i).load();
    const Json turns = parse_json(content.json, "annotation").at("conversations");
    for (size_t k = 0; k < content.answer_kinds.size(); ++k) {
      const bool sentences = turns[2 * k + 1].at("value").get<std::string>().find('.') != std::string::npos;
      EXPECT_EQ(content.answer_kinds[k] == "scene.describe@many", sentences);
    }
  }
}

TEST(SynthList, AnotherOptionIsOtherData) {
  const test::TempDir a, b;
  EXPECT_NE(SynthList(source_of(a, R"({"seed": 1})"), 0).fingerprint(),
            SynthList(source_of(b, R"({"seed": 2})"), 0).fingerprint());
}

TEST(SynthList, UnknownKindsAreRefused) {
  const test::TempDir dir;
  EXPECT_THROW(SynthList(source_of(dir, R"({"mixture": [{"kind": "scene.smell"}]})"), 0), Error);
}

}  // namespace
}  // namespace vl3::data
