#include "data/bad_sample.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::data {
namespace {

BadSampleEntry entry(int64_t line, int64_t list = 0) {
  return {"id " + std::to_string(line),    "a.jsonl", line, list, BadKind::kDecode,
          "a.jsonl: \"broken\"\nfile \xff"};
}

TEST(BadSampleLog, WritesALineEach) {
  const test::TempDir dir;
  BadSampleLog log(dir / "bad.jsonl", 1.0);
  log.add_bad(entry(3));
  log.add_good(1);
  log.add_bad(entry(8, 1));
  std::string text = read_file(dir / "bad.jsonl", 10'000);
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  const Json first = parse_json(text.substr(0, text.find('\n')), "bad.jsonl");
  EXPECT_EQ(first.at("id"), "id 3");
  EXPECT_EQ(first.at("source"), "a.jsonl");
  EXPECT_EQ(first.at("line"), 3);
  EXPECT_EQ(first.at("kind"), "decode");
  EXPECT_EQ(log.counts()[0].bad, 1);
  EXPECT_EQ(log.counts()[1].seen, 2);
  EXPECT_EQ(log.counts()[1].bad, 1);
}

TEST(BadSampleLog, AShareAboveTheLimitStopsTheRun) {
  BadSampleLog log("", 0.05);
  for (int i = 0; i < 40; ++i) log.add_good(0);
  for (int i = 0; i < 9; ++i) log.add_bad(entry(i));
  EXPECT_NO_THROW(log.check_share()) << "too few to judge by";
  log.add_good(0);
  const std::string error = test::error_of([&] { log.check_share(); });
  EXPECT_TRUE(
      error.starts_with("corrupt: 9 of 50 samples are bad, a share of 0.180 above max_bad_share = 0.05"))
      << error;
  for (int i = 0; i < 130; ++i) log.add_good(0);
  EXPECT_NO_THROW(log.check_share());
}

TEST(BadSample, DefectsAreNoFaultOfTheSample) {
  EXPECT_EQ(as_bad_sample(Error(ErrorCode::kNotFound, "x")).kind(), BadKind::kMissingFile);
  EXPECT_EQ(as_bad_sample(BadSample(BadKind::kTagCount, "x")).kind(), BadKind::kTagCount);
  EXPECT_THROW(as_bad_sample(Error(ErrorCode::kInternal, "x")), Error);
  EXPECT_THROW(as_bad_sample(Error(ErrorCode::kCancelled, "x")), Error);
}

}  // namespace
}  // namespace vl3::data
