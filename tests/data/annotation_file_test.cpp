#include "data/annotation_file.h"

#include <gtest/gtest.h>

#include "core/digest.h"
#include "support/temp_dir.h"

namespace vl3::data {
namespace {

TEST(AnnotationFile, FindsTheLinesOfAJsonl) {
  const test::TempDir dir;
  const AnnotationFile file(dir.write("a.jsonl", "\xEF\xBB\xBF{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\":\n"));
  ASSERT_EQ(file.size(), 3);
  EXPECT_EQ(file.text(0), "{\"a\":1}");
  EXPECT_EQ(file.text(1), "{\"b\":2}");
  EXPECT_EQ(file.text(2), "{\"c\":");
  EXPECT_EQ(file.line(0), 1);
  EXPECT_EQ(file.line(1), 4);
  EXPECT_EQ(file.line(2), 5);
}

TEST(AnnotationFile, FindsTheElementsOfAJsonList) {
  const test::TempDir dir;
  const AnnotationFile file(
      dir.write("a.json", "[\n {\"a\": [1, {\"x\": \"],}\\\"[\"}]},\n 7 , \"s\\\\\",\n\n null]\n"));
  ASSERT_EQ(file.size(), 4);
  EXPECT_EQ(file.text(0), "{\"a\": [1, {\"x\": \"],}\\\"[\"}]}");
  EXPECT_EQ(file.text(1), "7");
  EXPECT_EQ(file.text(2), "\"s\\\\\"");
  EXPECT_EQ(file.text(3), "null");
  EXPECT_EQ(file.line(0), 2);
  EXPECT_EQ(file.line(1), 3);
  EXPECT_EQ(file.line(2), 3);
  EXPECT_EQ(file.line(3), 5);
}

TEST(AnnotationFile, EmptyFilesHoldNothing) {
  const test::TempDir dir;
  EXPECT_EQ(AnnotationFile(dir.write("a.jsonl", "")).size(), 0);
  EXPECT_EQ(AnnotationFile(dir.write("a.json", " [ ] ")).size(), 0);
}

TEST(AnnotationFile, LongLinesOverManyReadsKeepTheirPlaces) {
  const test::TempDir dir;
  std::string content;
  for (int i = 0; i < 40; ++i)
    content += "\"" + std::string(100'000, static_cast<char>('a' + i % 26)) + "\"\n";
  const AnnotationFile file(dir.write("a.jsonl", content));
  ASSERT_EQ(file.size(), 40);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(file.text(i), "\"" + std::string(100'000, static_cast<char>('a' + i % 26)) + "\"");
    EXPECT_EQ(file.line(i), i + 1);
  }
}

TEST(AnnotationFile, WhatIsNoListIsAnError) {
  const test::TempDir dir;
  const auto error = [&](const std::string& name, const std::string& content) {
    std::string text = test::error_of([&] { AnnotationFile(dir.write(name, content)); });
    if (const size_t at = text.find(dir.path().string()); at != text.npos)
      text.erase(at, dir.path().string().size() + 1);
    return text;
  };
  EXPECT_EQ(error("a.json", "{\"id\": 1}"),
            "corrupt: a.json:1: a .json of annotations is one list, found '{'; write one object a line as "
            ".jsonl instead");
  EXPECT_EQ(error("a.json", "[{\"id\": 1},\n"),
            "corrupt: a.json: the file ends before its list does; it is cut off");
  EXPECT_EQ(error("a.json", "[1]\n[2]"), "corrupt: a.json:2: something follows the list's end");
  EXPECT_EQ(error("a.json", "[{\"a\": [1, 2]}}"), "corrupt: a.json:1: '}' where a '[' is open");
  EXPECT_EQ(error("a.json", "[{\"a\": [1}]"), "corrupt: a.json:1: '}' where a '[' is open");
  EXPECT_EQ(error("a.json", "[{}\n{}]"), "corrupt: a.json:2: '{' where ',' or the list's end is expected");
  EXPECT_EQ(error("a.json", ""), "corrupt: a.json: the file ends before its list does; it is cut off");
  EXPECT_EQ(error("a.csv", "1"),
            "unsupported: a.csv: annotations are .json lists, .jsonl lines or .tar files");
  EXPECT_NE(test::error_of([&] { AnnotationFile(dir / "none.jsonl"); }).find("not found"), std::string::npos);
}

TEST(AnnotationFile, AFileThatShrankIsAnErrorOfTheRecord) {
  const test::TempDir dir;
  const auto path = dir.write("a.jsonl", "{\"a\":1}\n{\"b\":2}\n");
  const AnnotationFile file(path);
  std::filesystem::resize_file(path, 4);
  EXPECT_NE(test::error_of([&] { file.text(1); }).find("has become shorter"), std::string::npos);
}

TEST(AnnotationFile, TheDigestIsOfTheWholeFile) {
  const test::TempDir dir;
  const std::string text = "{\"id\": 1}\n\n" + std::string(3 << 20, ' ') + "{\"id\": 2}\n";
  const AnnotationFile file(dir.write("a.jsonl", text));
  EXPECT_EQ(file.digest(), sha256_hex(text));
  EXPECT_EQ(file.bytes(), text.size());
}

}  // namespace
}  // namespace vl3::data
