#include "data/bad_sample.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::data {
namespace {

TEST(BadSampleEntry, IsAJsonObject) {
  const Json json = Json::parse(to_json({"id 3", "a.jsonl", 3, BadKind::kDecode, "\"broken\" file"}).dump());
  EXPECT_EQ(json, Json::parse(R"({"id": "id 3", "source": "a.jsonl", "line": 3, "kind": "decode",
                                  "reason": "\"broken\" file"})"));
}

TEST(BadShare, AboveTheLimitStopsTheRun) {
  EXPECT_NO_THROW(check_bad_share(0, 0, 0, "", ""));
  EXPECT_NO_THROW(check_bad_share(49, 9, 0.05, "", "")) << "too few to judge by";
  EXPECT_EQ(
      test::error_of([&] { check_bad_share(50, 9, 0.05, "a.jsonl: broken", "bad.jsonl"); }),
      "corrupt: 9 of 50 samples are bad, a share of 0.180 above data.max_bad_share = 0.05; the last one: "
      "a.jsonl: broken. Look into bad.jsonl, mend the data or allow more");
  EXPECT_NO_THROW(check_bad_share(180, 9, 0.05, "", ""));
}

TEST(BadSample, DefectsAreNoFaultOfTheSample) {
  EXPECT_EQ(as_bad_sample(Error(ErrorCode::kNotFound, "x")).kind(), BadKind::kMissingFile);
  EXPECT_EQ(as_bad_sample(BadSample(BadKind::kTagCount, "x")).kind(), BadKind::kTagCount);
  EXPECT_THROW(as_bad_sample(Error(ErrorCode::kInternal, "x")), Error);
  EXPECT_THROW(as_bad_sample(Error(ErrorCode::kCancelled, "x")), Error);
}

}  // namespace
}  // namespace vl3::data
