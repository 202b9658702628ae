#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "core/file.h"
#include "curate/item.h"
#include "curate/pictures.h"
#include "curate/tar_writer.h"

namespace vl3::curate {
namespace {

namespace fs = std::filesystem;
using test::config_for;
using test::error_of;
using test::reasons;
using test::run;
using test::TempDir;

// Names and contents of one tar.
using Members = std::vector<std::pair<std::string, std::string>>;
void write_tar(const fs::path& path, const Members& members) {
  fs::create_directories(path.parent_path());
  TarWriter tar(path);
  for (const auto& [name, bytes] : members) tar.add(name, bytes);
  tar.commit();
}

std::unique_ptr<ItemSource> open(const TempDir& dir, const std::vector<std::string>& names) {
  InputConfig input;
  for (const std::string& name : names) input.path.push_back((dir / name).string());
  fs::create_directories(dir / "out/work");
  return open_source(input, dir / "out/work");
}

std::vector<Item> items_of(const TempDir& dir, const std::vector<std::string>& names) {
  const std::unique_ptr<ItemSource> source = open(dir, names);
  std::vector<Item> items;
  for (int64_t shard = 0; shard < source->shards(); ++shard) {
    for (Item& item : source->read(shard)) items.push_back(std::move(item));
  }
  EXPECT_EQ(std::ssize(items), source->items());
  for (size_t i = 0; i < items.size(); ++i) EXPECT_EQ(items[i].position, static_cast<int64_t>(i));
  return items;
}

TEST(Source, FoldersAreToldApart) {
  const TempDir dir;
  for (const char* folder : {"fa", "fb"}) {
    (void)dir.write(fmt::format("{}/a.jpg", folder), test::jpeg(test::scene(folder[1])));
    (void)dir.write(fmt::format("{}/a.txt", folder), fmt::format("A scene of {}", folder));
  }
  run(config_for(dir, {"input.path=[]", "input.path.0=" + (dir / "fa").string(),
                       "input.path.1=" + (dir / "fb").string()}));
  const std::vector<Json> train = test::lines_of(dir / "out/train.jsonl");
  ASSERT_EQ(train.size(), 2u);
  EXPECT_EQ(train[0].at("image"), "fa/a.jpg");
  EXPECT_EQ(train[0].at("id"), "fa/a.jpg");
  EXPECT_EQ(train[1].at("image"), "fb/a.jpg");
  EXPECT_EQ(train[1].at("conversations")[1].at("value"), "A scene of fb");
  EXPECT_EQ(open(dir, {"fa", "fb"})->media_root(), fs::canonical(dir.path()));
  EXPECT_EQ(open(dir, {"fa"})->media_root(), fs::canonical(dir / "fa"));
}

TEST(Source, LinesOfSeveralFoldersStayInTheirOwn) {
  const TempDir dir;
  for (const char* folder : {"fa", "fb"}) {
    (void)dir.write(fmt::format("{}/a.jpg", folder), test::jpeg(test::scene(folder[1])));
    (void)dir.write(fmt::format("{}/items.jsonl", folder),
                    "{\"image\": \"a.jpg\"}\n{\"image\": \"../fa/a.jpg\"}\n");
  }
  run(config_for(dir, {"input.path=[]", "input.path.0=" + (dir / "fa/items.jsonl").string(),
                       "input.path.1=" + (dir / "fb/items.jsonl").string()}));
  // A name that leads out of its folder and in again is none of others; one that leads elsewhere is refused.
  EXPECT_EQ(reasons(dir, 4), (std::vector<std::string>{"", "exact_duplicate", "", "outside_data_root"}));
  const std::vector<Json> kept = test::lines_of(dir / "out/kept.jsonl");
  EXPECT_EQ(kept[0].at("where"), "fa/items.jsonl:1");
  EXPECT_EQ(kept[0].at("media"), "fa/a.jpg");
  EXPECT_EQ(kept[1].at("where"), "fb/items.jsonl:1");
  EXPECT_EQ(kept[1].at("media"), "fb/a.jpg");
}

TEST(Source, AChangedFolderIsRefused) {
  const TempDir dir;
  (void)dir.write("in/a.jpg", test::jpeg(test::scene(1)));
  const CurateConfig config = config_for(dir, {"input.path=" + (dir / "in").string()});
  run(config);
  EXPECT_EQ(run(config).scored, 0);
  (void)dir.write("in/b.jpg", test::jpeg(test::scene(2)));
  const std::string error = error_of([&] { run(config); });
  EXPECT_NE(error.find(fs::canonical(dir / "in").string()), std::string::npos) << error;
  EXPECT_NE(error.find("has changed since"), std::string::npos) << error;
}

TEST(Source, APipeIsRefusedAndNotWaitedFor) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "in");
  ASSERT_EQ(::mkfifo((dir / "in/items.jsonl").c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { open(dir, {"in/items.jsonl"}); }).find("is neither a file nor a folder"),
            std::string::npos);
}

TEST(Source, AnOutputInsideItsInputStaysOut) {
  const TempDir dir;
  (void)dir.write("in/a.jpg", test::jpeg(test::scene(1)));
  const CurateConfig config =
      config_for(dir, {"input.path=" + (dir / "in").string(), "output=" + (dir / "in/out").string()});
  EXPECT_EQ(run(config).items, 1);
  EXPECT_EQ(run(config).items, 1);
}

TEST(Source, ColumnsComeFromSidecars) {
  const TempDir dir;
  for (int i = 0; i < 2; ++i) {
    (void)dir.write(fmt::format("in/{}.jpg", i), test::jpeg(test::scene(static_cast<uint64_t>(i))));
    (void)dir.write(fmt::format("in/{}.json", i),
                    Json{{"caption", "A scene"}, {"score", i}, {"texts", Json::array()}}.dump());
  }
  run(config_for(dir, {"input.path=" + (dir / "in").string(), "scorers.0.name=score", "scorers.0.min=1",
                       "scorers.0.required=true"}));
  EXPECT_EQ(reasons(dir, 2), (std::vector<std::string>{"score:score", ""}));
}

TEST(Source, BrokenTarsCostTheirLine) {
  const TempDir dir;
  const std::string picture = test::jpeg(test::scene(1));
  write_tar(dir / "in/1.tar", {{"a.jpg", picture}, {"a.txt", "A scene"}});
  (void)dir.write("in/0.tar", "");
  (void)dir.write("in/2.tar", std::string(5000, 'x'));
  (void)dir.write("in/3.tar", "\x1f\x8b\x08 compressed, they say");
  write_tar(dir / "in/4.tar", {{"b.jpg", picture}, {"c.jpg", picture}});
  const std::string whole = read_file(dir / "in/4.tar", 1 << 20);
  (void)dir.write("in/4.tar", whole.substr(0, 512 + picture.size() / 2));
  const std::vector<Item> items = items_of(dir, {"in"});
  ASSERT_EQ(items.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(items[i].reason, i == 1 ? "" : "broken_tar_sample") << i;
    EXPECT_EQ(items[i].where, fmt::format("{}.tar:1", i));
  }
  EXPECT_NE(items[2].detail.find("uncompressed tar"), std::string::npos);
  EXPECT_EQ(items[1].caption, "A scene");
  // Where there is nothing else, the input is wrong.
  EXPECT_NE(error_of([&] {
              open(dir, {"in/0.tar", "in/3.tar"});
            }).find("0.tar: is empty"),
            std::string::npos);
}

TEST(Source, MembersAreNamedInCapitalsToo) {
  const TempDir dir;
  const std::string picture = test::jpeg(test::scene(1));
  write_tar(dir / "in/0.tar", {{"A.JPG", picture},
                               {"A.TXT", "\xEF\xBB\xBFOf the text\r\n"},
                               {"b.jpg", picture},
                               {"b.JSON", R"({"caption": "Of the JSON", "width": 3})"},
                               {"c.jpg", picture},
                               {"c.txt", "caf\xE9"},
                               {"c.json", R"({"caption": "Of the JSON"})"}});
  const std::vector<Item> items = items_of(dir, {"in"});
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].media, "A.JPG");
  EXPECT_EQ(items[0].caption, "Of the text");
  EXPECT_EQ(items[1].caption, "Of the JSON");
  EXPECT_EQ(items[1].source.at("width"), 3);
  EXPECT_EQ(items[2].caption, "Of the JSON");
  EXPECT_EQ(items[2].detail, "c.txt: is not UTF-8, and no caption");
}

TEST(Source, MembersAreReadWhenTheyAreAskedFor) {
  const TempDir dir;
  const std::string picture = test::jpeg(test::scene(1));
  std::string large;
  large.resize(40'000'000, 'x');
  Members members;
  for (int i = 0; i < 4; ++i) members.emplace_back(fmt::format("{}.jpg", i), "\xff\xd8\xff" + large);
  members.emplace_back("4.jpg", picture);
  write_tar(dir / "in/0.tar", members);
  struct rusage before {
  }, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const std::vector<Item> items = items_of(dir, {"in"});
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 20'000) << "KiB";
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].bytes.size(), large.size() + 3);
  EXPECT_EQ(items[0].bytes.load(3)->size(), 3u);
  EXPECT_EQ(*items[4].bytes.load(), picture);
  EXPECT_TRUE(Item().bytes == nullptr);
  EXPECT_EQ(Item().bytes.load(), nullptr);
}

TEST(Source, StillsInTarsAreBoundedAsFilesAre) {
  const TempDir dir;
  write_tar(dir / "in/0.tar",
            {{"0.jpg", test::jpeg(test::scene(1))}, {"1.jpg", "\xff\xd8\xff" + std::string(100'000, 'x')}});
  run(config_for(dir, {"input.path=" + (dir / "in").string(), "validity.max_bytes=50000"}));
  EXPECT_EQ(reasons(dir, 2), (std::vector<std::string>{"", "too_large"}));
}

// Lowers the number of files that may be open, for as long as it lives.
class FewFiles {
 public:
  explicit FewFiles(rlim_t most) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const struct rlimit lower { most, before_.rlim_max };
    ::setrlimit(RLIMIT_NOFILE, &lower);
  }
  ~FewFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewFiles(const FewFiles&) = delete;
  FewFiles& operator=(const FewFiles&) = delete;

 private:
  struct rlimit before_ {};
};

TEST(Source, AnInputMayHaveMoreFilesThanMayBeOpen) {
  const TempDir dir;
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) {
    names.push_back(fmt::format("tars/{:03}.tar", i));
    write_tar(dir / names.back(), {{"a.jpg", fmt::format("picture {}", i)}});
    names.push_back(fmt::format("lines/{:03}.jsonl", i));
    (void)dir.write(names.back(), "{\"image\": \"a.jpg\"}\n");
  }
  const FewFiles few(120);
  const std::vector<Item> items = items_of(dir, names);
  ASSERT_EQ(items.size(), 400u);
  for (size_t i = 0; i < 200; ++i) EXPECT_EQ(*items[2 * i].bytes.load(), fmt::format("picture {}", i));
}

TEST(Source, TooManyOpenFilesAreNoBrokenTar) {
  const TempDir dir;
  write_tar(dir / "in/0.tar", {{"a.jpg", "picture"}});
  std::string error;
  {
    const FewFiles few(3);
    error = error_of([&] { open(dir, {"in/0.tar"}); });
  }
  EXPECT_EQ(error.find("uncompressed"), std::string::npos) << error;
  EXPECT_NE(error.find("oo many"), std::string::npos) << error;
}

}  // namespace
}  // namespace vl3::curate
