#include "eval/data/parquet.h"

#include <gtest/gtest.h>

#include <random>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

std::filesystem::path sample() {
  return test::golden_eval_dir() / "BLINK/data/Counting/test-00000-of-00001.parquet";
}

TEST(Parquet, RowsAndPictures) {
  const ParquetFile file(sample());
  const std::vector<Json> rows = file.rows();
  ASSERT_EQ(rows.size(), 1);
  EXPECT_TRUE(rows[0]["choices"].is_array());
  EXPECT_TRUE(rows[0]["image_1"].contains("path"));
  EXPECT_FALSE(rows[0]["image_1"].contains("bytes"));
  EXPECT_TRUE(file.picture(0, "image_1").starts_with("\x89PNG"));
  EXPECT_NE(error_of([&] { file.picture(0, "idx"); }).find("no picture column"), std::string::npos);
  EXPECT_NE(error_of([&] { file.picture(7, "image_1"); }).find("no row 7"), std::string::npos);
  EXPECT_NE(error_of([&] { file.picture(-1, "image_1"); }).find("no row"), std::string::npos);
}

TEST(Parquet, WhatIsNoneIsAnErrorOfItsOwn) {
  const test::TempDir dir;
  EXPECT_NE(error_of([&] { ParquetFile(dir / "none"); }).find("not found"), std::string::npos);
  for (const std::string& text : {std::string(), std::string("PAR1"), std::string("PAR1PAR1"),
                                  std::string(100, 'x'), std::string("PAR1\xff\xff\xff\x7fPAR1")}) {
    const auto path = dir.write("a.parquet", text);
    EXPECT_NE(error_of([&] { ParquetFile(path).rows(); }).find("corrupt"), std::string::npos) << text.size();
  }
}

/// Damage anywhere gives rows or an error; never another exception, a crash, or gigabytes.
TEST(Parquet, DamagedFilesDoNoHarm) {
  const test::TempDir dir;
  const std::string whole = read_file(sample(), 1 << 20);
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = whole;
    const size_t tail = 4000;  // page headers and the footer, where sizes stand
    for (int i = 0; i < 1 + round % 4; ++i) {
      const size_t at = round % 2 == 0 ? random() % damaged.size()
                                       : damaged.size() - 1 - random() % std::min(tail, damaged.size());
      damaged[at] = static_cast<char>(random());
    }
    if (round % 10 == 0) damaged.resize(random() % damaged.size());
    const auto path = dir.write("a.parquet", damaged);
    error_of([&] {
      const ParquetFile file(path);
      for (const Json& row : file.rows()) EXPECT_TRUE(row.is_object());
      file.picture(0, "image_1");
    });
  }
}

}  // namespace
}  // namespace vl3::eval
