#include "engine/bench.h"

#include <gtest/gtest.h>

#include "engine/golden_model.h"

namespace vl3::engine {
namespace {

TEST(Bench, MeasuresEachKeyInItsUnit) {
  LoadOptions load;
  load.model = test::golden_models("config.json").front();
  const auto runtime = Runtime::load(load);
  const std::vector<std::pair<std::string, std::string>> units = {{"preprocess", "frames_per_s"},
                                                                  {"encode2240", "patches_per_s"},
                                                                  {"prefill512", "tokens_per_s"},
                                                                  {"decode0", "tokens_per_s"},
                                                                  {"decode_batch8", "tokens_per_s"}};
  BenchOptions options;
  options.repeats = 2;
  for (const auto& [key, unit] : units) options.only.push_back(key);
  const OrderedJson result = bench(*runtime, options);
  for (const auto& [key, unit] : units) {
    SCOPED_TRACE(key);
    const OrderedJson& row = result.at(key);
    EXPECT_GT(row.at(unit).get<double>(), 0);
    EXPECT_EQ(row.at("repeats"), 2);
    const auto seconds = row.at("seconds").get<std::vector<double>>();
    ASSERT_EQ(seconds.size(), 2u);
    EXPECT_DOUBLE_EQ(row.at("median_s").get<double>(), (seconds[0] + seconds[1]) / 2);
  }
  EXPECT_GT(result.at("peak_rss_bytes").get<uint64_t>(), 0u);
  EXPECT_GT(result.at("ready_s").get<double>(), 0);
  EXPECT_EQ(result.at("device"), "cpu");
}

TEST(Bench, RefusesAnUnknownKeyBeforeItMeasures) {
  LoadOptions load;
  load.model = test::golden_models("config.json").front();
  const auto runtime = Runtime::load(load);
  try {
    (void)bench(*runtime, {.only = {"decode0", "decode1"}, .repeats = 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("--only decode1: expected one of video1080p"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace vl3::engine
