#include "eval/data/csv.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

TEST(Csv, QuotesLineBreaksAndEmptyFields) {
  const test::TempDir dir;
  const auto rows =
      read_csv(dir.write("a.csv", "\xef\xbb\xbfx,y,z\r\n1,\"a,\"\"b\"\"\nc\",\r\n\r\n\"\",é,3"));
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0].at("y"), "a,\"b\"\nc");
  EXPECT_EQ(rows[0].at("z"), "");
  EXPECT_EQ(rows[1].at("x"), "");
  EXPECT_EQ(rows[1].at("y"), "é");
}

TEST(Csv, BrokenFilesAreNamedWithTheirLine) {
  const test::TempDir dir;
  const auto refusal = [&](const std::string& text) {
    const auto path = dir.write("a.csv", text);
    return error_of([&] { read_csv(path); });
  };
  EXPECT_NE(refusal("x,y\n1,2\n3\n").find("line 3: 1 fields, the heading has 2"), std::string::npos);
  EXPECT_NE(refusal("x\n\"open\n").find("line 2: a quote that is not closed"), std::string::npos);
  EXPECT_NE(refusal("x\n\"a\"b\n").find("text behind a closing quote"), std::string::npos);
  EXPECT_NE(refusal("x,x\n1,2\n").find("twice"), std::string::npos);
  EXPECT_NE(refusal("x\n\xff\n").find("UTF-8"), std::string::npos);
  EXPECT_NE(refusal("").find("empty"), std::string::npos);
}

TEST(Csv, WhatPandasTakesForMissing) {
  for (const char* text : {"", "None", "N/A", "nan", "null"}) EXPECT_TRUE(pandas_missing(text)) << text;
  for (const char* text : {"none", "0", " ", "NONE"}) EXPECT_FALSE(pandas_missing(text)) << text;
}

}  // namespace
}  // namespace vl3::eval
