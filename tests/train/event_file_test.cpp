#include "train/event_file.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "weights/python.h"

namespace vl3::train {
namespace {

using test::TempDir;

StepMetrics with_loss(int64_t step, double loss) {
  StepMetrics metrics;
  metrics.step = step;
  metrics.loss = loss;
  return metrics;
}

TEST(EventFile, Crc32cHasTheStandardsValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);  // RFC 3720 B.4 and its 32 zero bytes
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
}

TEST(EventFile, TensorBoardReadsItAndDropsWhatAResumedRunRepeats) {
  const TempDir dir;
  {
    EventFile events(dir / "tb", 0);
    for (int64_t step = 1; step <= 6; ++step) events.write(with_loss(step, 1.0 / static_cast<double>(step)));
  }
  {
    EventFile events(dir / "tb", 4);
    events.write(with_loss(5, 55));
  }
  const auto result = test::run_python("../train/read_events.py", {(dir / "tb").string()});
  if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
  EXPECT_EQ(result.status, 0) << result.output;
  const std::string last_line =
      result.output.substr(result.output.rfind("\n{", result.output.size() - 2) + 1);
  const Json read = Json::parse(last_line, nullptr, false);
  ASSERT_TRUE(read.is_object()) << result.output;
  EXPECT_EQ(read.at("train/loss"),
            Json::parse("[[1, 1.0], [2, 0.5], [3, 0.3333333432674408], [4, 0.25], [5, 55.0]]"));
  EXPECT_EQ(read.at("train/tokens_per_s").size(), 5u);
}

}  // namespace
}  // namespace vl3::train
