#include "vl3/error.h"

#include <gtest/gtest.h>

namespace vl3 {
namespace {

TEST(Error, StaysOnOneLineAndKeepsItsCodeThroughContext) {
  const Error error = Error(ErrorCode::kCorrupt, "bad\nname \x1b[31m").with_context("shard 2 of 4");
  EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
  EXPECT_STREQ(error.what(), "shard 2 of 4: bad name \\x1b[31m");
}

}  // namespace
}  // namespace vl3
