#include "curate/folder_listing.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::lines_of;
using test::TempDir;

// Lists dir/in into dir.
FolderListing list(const TempDir& dir) {
  const fs::path in = fs::canonical(dir / "in");
  return list_folder(in, in, in.parent_path() / "out", dir / "list");
}

std::vector<std::string> names(const FolderListing& listing) {
  std::vector<std::string> found;
  for (const Json& line : lines_of(listing.file)) found.push_back(line.at("image"));
  return found;
}

TEST(FolderListing, TheDigestTellsOfEveryChange) {
  const TempDir dir;
  (void)dir.write("in/a.jpg", "one");
  (void)dir.write("in/a.txt", "caption");
  const FolderListing first = list(dir);
  EXPECT_EQ(list(dir).digest, first.digest);
  EXPECT_EQ(list(dir).file, first.file);
  std::set<std::string> digests = {first.digest};
  (void)dir.write("in/a.jpg", "another");
  digests.insert(list(dir).digest);
  (void)dir.write("in/a.txt", "another caption");
  digests.insert(list(dir).digest);
  fs::last_write_time(dir / "in/a.jpg", fs::file_time_type::clock::now() - std::chrono::hours(1));
  digests.insert(list(dir).digest);
  (void)dir.write("in/sub/b.jpg", "two");
  digests.insert(list(dir).digest);
  EXPECT_EQ(digests.size(), 5u);
  EXPECT_EQ(names(list(dir)), (std::vector<std::string>{"a.jpg", "sub/b.jpg"}));
  // Who reads the first list still finds it.
  EXPECT_EQ(names(first), (std::vector<std::string>{"a.jpg"}));
}

TEST(FolderListing, OutputsOfCurationsAreNoInput) {
  const TempDir dir;
  (void)dir.write("in/a.jpg", "one");
  (void)dir.write("in/earlier/work/scoring_keys.txt", "");
  (void)dir.write("in/earlier/media/000000001.jpg", "two");
  (void)dir.write("in/out/media/000000002.jpg", "three");
  const fs::path in = fs::canonical(dir / "in");
  const FolderListing listing = list_folder(in, in, in / "out", dir / "list");
  EXPECT_EQ(names(listing), (std::vector<std::string>{"a.jpg"}));
  ASSERT_EQ(listing.notes.size(), 1u);
  EXPECT_NE(listing.notes[0].find("in/earlier"), std::string::npos);
  EXPECT_NE(error_of([&] { list_folder(in, in, in, dir / "list"); }).find("is the output folder itself"),
            std::string::npos);
}

TEST(FolderListing, FoldersThatCannotBeReadAreTold) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  const TempDir dir;
  (void)dir.write("in/a.jpg", "one");
  (void)dir.write("in/closed/b.jpg", "two");
  fs::permissions(dir / "in/closed", fs::perms::none);
  const FolderListing listing = list(dir);
  fs::permissions(dir / "in/closed", fs::perms::owner_all);
  EXPECT_EQ(names(listing), (std::vector<std::string>{"a.jpg"}));
  ASSERT_EQ(listing.notes.size(), 1u);
  EXPECT_NE(listing.notes[0].find("in/closed"), std::string::npos);
  EXPECT_NE(list(dir).digest, listing.digest);
}

TEST(FolderListing, TarsBesidePicturesAreRefused) {
  const TempDir dir;
  (void)dir.write("in/0.tar", "");
  (void)dir.write("in/0_stats.json", "{}");
  EXPECT_EQ(tars_in(dir / "in").size(), 1u);
  (void)dir.write("in/a.JPG", "one");
  EXPECT_NE(error_of([&] { tars_in(dir / "in"); }).find("holds tars and pictures (a.JPG)"),
            std::string::npos);
  fs::remove(dir / "in/0.tar");
  EXPECT_TRUE(tars_in(dir / "in").empty());
}

TEST(FolderListing, SidecarsGiveCaptionIdAndColumns) {
  const TempDir dir;
  (void)dir.write("a.json",
                  R"({"id": 7, "caption": "Of the JSON", "score": 0.9, "texts": [1], "image": "/x"})");
  (void)dir.write("b.json", R"({"caption": "Of the JSON", "score": 0.8})");
  (void)dir.write("b.TXT", "Of the text");
  (void)dir.write("c.txt", "caf\xE9");
  (void)dir.write("c.json", R"({"caption": "Of the JSON"})");
  (void)dir.write("d.json", "{");
  const auto item_of = [&](const char* media) {
    Item item;
    item.root = fs::canonical(dir.path());
    item.media = media;
    read_sidecars(InputConfig{}, &item);
    return item;
  };
  const Item a = item_of("a.jpg"), b = item_of("b.jpg"), c = item_of("c.jpg"), d = item_of("d.jpg");
  EXPECT_EQ(a.id, "7");
  EXPECT_EQ(a.media, "a.jpg");
  EXPECT_EQ(a.caption, "Of the JSON");
  EXPECT_EQ(a.source.at("score"), 0.9);
  EXPECT_TRUE(a.source.contains("texts"));
  EXPECT_EQ(b.caption, "Of the text");
  EXPECT_EQ(b.source.at("score"), 0.8);
  EXPECT_EQ(c.caption, "Of the JSON");
  EXPECT_EQ(c.detail, "c.txt: is not UTF-8, and no caption");
  EXPECT_EQ(d.caption, "");
  EXPECT_EQ(d.reason, "");
  EXPECT_NE(d.detail.find("d.json: wrong_json"), std::string::npos);
  EXPECT_EQ(item_of("nothing.jpg").detail, "");
}

}  // namespace
}  // namespace vl3::curate
