#include "eval/data/parquet.h"

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <random>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

std::filesystem::path sample() {
  return test::golden_eval_dir() / "BLINK/data/Counting/test-00000-of-00001.parquet";
}

using Columns = std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>;

std::shared_ptr<arrow::Array> texts(const std::vector<std::string>& values) {
  arrow::StringBuilder builder;
  PARQUET_THROW_NOT_OK(builder.AppendValues(values));
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Array> pictures(const std::vector<std::string>& values) {
  arrow::BinaryBuilder bytes;
  PARQUET_THROW_NOT_OK(bytes.AppendValues(values));
  const arrow::ArrayVector fields = {bytes.Finish().ValueOrDie(), texts(values)};
  return arrow::StructArray::Make(fields, std::vector<std::string>{"bytes", "path"}).ValueOrDie();
}

/// A Parquet file of these columns, in row groups of so many rows.
std::string parquet(const Columns& columns, int64_t group_rows) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  PARQUET_THROW_NOT_OK(parquet::arrow::WriteTable(
      *table, arrow::default_memory_pool(), sink, group_rows, parquet::default_writer_properties(),
      parquet::ArrowWriterProperties::Builder().store_schema()->build()));
  return sink->Finish().ValueOrDie()->ToString();
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

/// A file of 370 kB took 18.5 GB: equal texts compress to nothing, and the bound held for one row group
/// alone.
TEST(Parquet, RowsOfAllGroupsTogetherAreBounded) {
  const test::TempDir dir;
  const auto equal = texts(std::vector<std::string>(300, std::string(600, 'a')));
  const ParquetFile file(dir.write("a.parquet", parquet({{"a", equal}, {"b", equal}}, 100)));
  const uint64_t text_bytes = 2 * 300 * 600;  // a third of them in each group
  EXPECT_EQ(file.rows().size(), 300);
  EXPECT_EQ(file.rows(2 * text_bytes).size(), 300);
  const std::string error = error_of([&] { file.rows(text_bytes); });
  EXPECT_TRUE(error.starts_with("limit reached") && error.ends_with("more than 360000 bytes")) << error;
}

/// Nulls and empty texts take memory, too, and so do long names of columns in every row.
TEST(Parquet, RowsWithoutTextAreBounded) {
  const test::TempDir dir;
  const auto path =
      dir.write("a.parquet", parquet({{"a", arrow::MakeArrayOfNull(arrow::utf8(), 100).ValueOrDie()}}, 100));
  EXPECT_EQ(ParquetFile(path).rows().size(), 100);
  EXPECT_NE(error_of([&] { ParquetFile(path).rows(100 * 10); }), "");
  const auto named = dir.write(
      "b.parquet", parquet({{std::string(5000, 'n'), texts(std::vector<std::string>(100, ""))}}, 100));
  EXPECT_NE(error_of([&] { ParquetFile(named).rows(100 * 5000); }), "");
}

TEST(Parquet, DictionariesAreReadAndOtherTypesFailOnlyWhereTheyAreAskedFor) {
  const test::TempDir dir;
  arrow::StringDictionary32Builder kinds;
  PARQUET_THROW_NOT_OK(kinds.Append("x"));
  PARQUET_THROW_NOT_OK(kinds.AppendNull());
  arrow::TimestampBuilder days(arrow::timestamp(arrow::TimeUnit::MICRO), arrow::default_memory_pool());
  PARQUET_THROW_NOT_OK(days.AppendValues({1, 2}));
  arrow::BinaryBuilder raw;
  PARQUET_THROW_NOT_OK(raw.AppendValues(std::vector<std::string>{"\xff", "text"}));
  const auto path = dir.write("a.parquet", parquet({{"kind", kinds.Finish().ValueOrDie()},
                                                    {"day", days.Finish().ValueOrDie()},
                                                    {"raw", raw.Finish().ValueOrDie()}},
                                                   2));
  const std::vector<Json> rows = ParquetFile(path).rows();
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0]["kind"], "x");
  EXPECT_TRUE(rows[1]["kind"].is_null());
  EXPECT_EQ(rows[1]["raw"], "text");
  EXPECT_EQ(rows[0]["raw"], Json({{"unsupported", "binary"}}));
  EXPECT_NE(error_of([&] { JsonView(rows[0], "row").string("day"); }).find("timestamp"), std::string::npos);
}

TEST(Parquet, PicturesOfSeveralColumnsAndGroupsInAnyOrder) {
  const test::TempDir dir;
  const ParquetFile file(dir.write(
      "a.parquet", parquet({{"one", pictures({"a", "b", "c"})}, {"two", pictures({"d", "e", "f"})}}, 2)));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(file.picture(0, "one") + file.picture(0, "two"), "ad");
    EXPECT_EQ(file.picture(1, "two") + file.picture(1, "one"), "eb");
    EXPECT_NE(error_of([&] { file.picture(1, "three"); }).find("no picture column"), std::string::npos);
    EXPECT_EQ(file.picture(2, "one") + file.picture(2, "two"), "cf");
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
