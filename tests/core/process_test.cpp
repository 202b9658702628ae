#include "core/process.h"

#include <gtest/gtest.h>

#include <vector>

namespace vl3 {
namespace {

TEST(ResidentBytes, GrowByWhatIsTouched) {
  constexpr size_t kBytes = 64 << 20;
  const uint64_t before = resident_bytes();
  const std::vector<char> held(kBytes, 1);
  const uint64_t after = resident_bytes();
  EXPECT_GT(after, before + kBytes * 9 / 10) << held[kBytes / 2];
  EXPECT_LT(after, before + kBytes * 11 / 10);
  EXPECT_GE(peak_rss_bytes(), after * 9 / 10);
}

TEST(ProcessAge, IsThatOfThisProcess) {
  const double age = process_age_seconds();
  EXPECT_GE(age, 0.0);
  EXPECT_LT(age, 3600.0);
  EXPECT_GE(process_age_seconds(), age);
}

}  // namespace
}  // namespace vl3
