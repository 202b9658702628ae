#include "eval/run/journal.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;
const OrderedJson kSettings{{"fps", 1}};

Record answer(const std::string& text) {
  Record record;
  record.reply.text = text;
  return record;
}

TEST(Journal, ATornLineIsCutOffAndTheRestIsKept) {
  const test::TempDir dir;
  { Journal(dir.path(), 0, kSettings).append("t", "1", answer("yes\nand é")); }
  const auto path = dir / "journal-0000.jsonl";
  const std::string before = read_file(path, 1 << 20);
  dir.write("journal-0000.jsonl", before + R"({"task":"t","id":"2","respo)");
  EXPECT_EQ(Journal::read(dir.path()).at("t").size(), 1);
  { Journal(dir.path(), 0, kSettings).append("t", "3", answer("no")); }
  const Records records = Journal::read(dir.path());
  EXPECT_EQ(records.at("t").at("1").reply.text, "yes\nand é");
  EXPECT_EQ(records.at("t").at("3").reply.text, "no");
  EXPECT_FALSE(records.at("t").contains("2"));
}

TEST(Journal, AnAnswerWinsOverAnEarlierError) {
  const test::TempDir dir;
  Journal journal(dir.path(), 0, kSettings);
  Record failed;
  failed.error = "broken";
  journal.append("t", "1", failed);
  EXPECT_EQ(Journal::read(dir.path()).at("t").at("1").error, "broken");
  journal.append("t", "1", answer("fine"));
  journal.append("t", "1", failed);
  EXPECT_EQ(Journal::read(dir.path()).at("t").at("1").reply.text, "fine");
}

TEST(Journal, TwoWritersOfOneFileAreRefused) {
  const test::TempDir dir;
  const Journal journal(dir.path(), 0, kSettings);
  EXPECT_TRUE(Journal::at_work(dir.path(), 0));
  EXPECT_FALSE(Journal::at_work(dir.path(), 1));
  EXPECT_NE(error_of([&] { Journal(dir.path(), 0, kSettings); }).find("another run is writing it"),
            std::string::npos);
}

TEST(Journal, WhatIsNoJournalIsNamed) {
  const test::TempDir dir;
  dir.write("journal-0000.jsonl", "[1]\n");
  EXPECT_NE(error_of([&] { Journal(dir.path(), 0, kSettings); }).find("is no journal"), std::string::npos);
  dir.write("journal-0000.jsonl", "{\"settings\":{\"fps\":1}}\nnonsense\n");
  EXPECT_NE(error_of([&] { Journal::read(dir.path()); }).find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace vl3::eval
