#include "data/webdataset_list.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/file.h"
#include "data/golden_train_set.h"
#include "data/mixture_stream.h"
#include "support/temp_dir.h"

namespace vl3::data {
namespace {

namespace fs = std::filesystem;
using Members = std::vector<std::pair<std::string, std::string>>;

/// A tar as any tool writes it; names ending in "/" are folders, contents starting with "->" links.
std::string tar_of(const Members& members, bool pax = true) {
  std::string out(1 << 20, '\0');
  for (const auto& [name, content] : members) out.resize(out.size() + content.size() + 8192);
  size_t used = 0;
  archive* a = archive_write_new();
  pax ? archive_write_set_format_pax(a) : archive_write_set_format_gnutar(a);
  archive_write_set_bytes_per_block(a, 512);
  archive_write_open_memory(a, out.data(), out.size(), &used);
  for (const auto& [name, content] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_perm(entry, 0644);
    const bool link = content.starts_with("->");
    archive_entry_set_filetype(entry, name.ends_with('/') ? AE_IFDIR : link ? AE_IFLNK : AE_IFREG);
    if (link) archive_entry_set_symlink(entry, content.substr(2).c_str());
    const bool data = !name.ends_with('/') && !link;
    archive_entry_set_size(entry, data ? static_cast<la_int64_t>(content.size()) : 0);
    EXPECT_EQ(archive_write_header(a, entry), ARCHIVE_OK) << archive_error_string(a);
    if (data) archive_write_data(a, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

constexpr const char* kTurns =
    R"("conversations":[{"from":"human","value":"<image>Q"},{"from":"gpt","value":"A"}])";

std::string picture() { return read_file(golden_train_set().dir / "data" / "images" / "one.png", 1 << 20); }

class WebDataset : public testing::Test {
 protected:
  fs::path write(const std::string& name, const Members& members) {
    return dir_.write(name, tar_of(members));
  }

  static std::string error_of(const Record& record) {
    const GoldenTrainSet& set = golden_train_set();
    DataConfig config = set.config();
    config.model_max_length = 1 << 20;
    try {
      set.builder(config).build(record);
    } catch (const BadSample& bad) {
      return std::string(bad_kind_name(bad.kind())) + ": " + bad.what();
    }
    return "";
  }

  test::TempDir dir_;
};

TEST_F(WebDataset, SamplesAreMembersThatShareAName) {
  const std::string image = picture();
  const std::string long_name = "deep/" + std::string(180, 'n') + "/00/y.0";
  const WebDatasetList list(
      {write("a.tar", {{"x/", ""},
                       {"x/000.json", std::string(R"({"id":"first","image":"000.png",)") + kTurns + "}"},
                       {"x/000.png", image},
                       {"x/001.png", image},
                       {"x/001.txt", " A caption.\n"},
                       {"x/link.png", "->/etc/passwd"},
                       {long_name + ".json", std::string(R"({"image":"0.b.png",)") + kTurns + "}"},
                       {long_name + ".b.png", image}})},
      4, 10);
  ASSERT_EQ(list.size(), 3);
  EXPECT_EQ(list.record(0).origin.list, 4);
  EXPECT_EQ(list.record(1).origin.line, 2);
  const GoldenTrainSet& set = golden_train_set();
  const SampleBuilder builder = set.builder(set.config());
  const Sample first = builder.build(list.record(0)), second = builder.build(list.record(1));
  EXPECT_EQ(first.id, "first");
  EXPECT_EQ(second.id, "x/001");
  EXPECT_EQ(first.media[0].patches_u8, second.media[0].patches_u8);
  EXPECT_NE(set.tokenizer->decode(second.input_ids, false).find("assistant\nA caption.<|im_end|>"),
            std::string::npos);
  // "y.0.json" and "y.0.b.png" share "y", whose json member is then called "0.json".
  EXPECT_TRUE(error_of(list.record(2)).starts_with("schema: ")) << error_of(list.record(2));
}

TEST_F(WebDataset, AGlanceReadsTheBeginningOfMembers) {
  const std::string image = picture();
  const auto path = write(
      "g.tar", {{"a.txt", "A."}, {"a.png", image}, {"a.npy", std::string(300'000, 'x')}, {"b.txt", "B."}});
  const TarReader tar(path);
  ASSERT_EQ(tar.size(), 2);
  const std::vector<TarMember> whole = tar.read(0), glanced = tar.read(0, 1000);
  ASSERT_EQ(whole.size(), 3u);
  ASSERT_EQ(glanced.size(), 3u);
  EXPECT_EQ(whole[2].bytes.size(), 300'000u);
  EXPECT_EQ(glanced[0].bytes, "A.");
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(glanced[i].bytes, whole[i].bytes.substr(0, 1000));
  const WebDatasetList list({path}, 0, 10);
  const GoldenTrainSet& set = golden_train_set();
  const SampleBuilder builder = set.builder(set.config());
  const auto tokens = static_cast<double>(builder.build(list.record(0)).input_ids.size());
  EXPECT_NEAR(static_cast<double>(builder.estimate_tokens(list.record(0))), tokens, tokens / 2);
}

TEST_F(WebDataset, NamesLongerThanAHeaderHoldsAreRead) {
  const std::string name(230, 'n');
  for (const bool pax : {true, false}) {
    const auto path = dir_.write("long.tar", tar_of({{"a/" + name + ".png", picture()},
                                                     {"a/" + name + ".txt", "One."},
                                                     {"b/" + name + ".txt", "Two."},
                                                     {"b/" + name + ".png", picture()}},
                                                    pax));
    const WebDatasetList list({path}, 0, 10);
    ASSERT_EQ(list.size(), 2);
    EXPECT_EQ(error_of(list.record(0)), "");
    EXPECT_EQ(error_of(list.record(1)), "");
  }
}

TEST_F(WebDataset, MessagesNameMembersByPathNameOrExtension) {
  for (const std::string name : {"d/7.jpg.png", "7.jpg.png", "jpg.png"}) {
    const std::string json = R"({"messages":[{"role":"user","content":[{"type":"image","image":")" + name +
                             R"("}]},{"role":"assistant","content":"A"}]})";
    const WebDatasetList list({write("m.tar", {{"d/7.json", json}, {"d/7.jpg.png", picture()}})}, 0, 10);
    EXPECT_EQ(error_of(list.record(0)), "") << name;
  }
}

TEST_F(WebDataset, MetadataBesideACaptionIsNoAnnotation) {
  const WebDatasetList list(
      {write("m.tar", {{"7.json", R"({"url":"x","width":3})"}, {"7.txt", "A cat."}, {"7.png", picture()}})},
      0, 10);
  EXPECT_EQ(error_of(list.record(0)), "");
}

TEST_F(WebDataset, NothingOutsideTheSampleIsReached) {
  const std::string outside = (golden_train_set().dir / "data" / "images" / "one.png").string();
  const WebDatasetList list(
      {write("m.tar", {{"../../1.json", R"({"image":")" + outside + R"(",)" + kTurns + "}"},
                       {"../../1.png", picture()},
                       {"2.json", std::string(R"({"image":"../../1.png",)") + kTurns + "}"},
                       {"2.png", "->" + outside},
                       {"/abs/3.json", std::string(R"({"image":"/abs/3.png",)") + kTurns + "}"},
                       {"/abs/3.png", picture()}})},
      0, 10);
  ASSERT_EQ(list.size(), 3);
  EXPECT_TRUE(error_of(list.record(0)).starts_with("missing_file: ")) << error_of(list.record(0));
  EXPECT_TRUE(error_of(list.record(1)).starts_with("missing_file: ")) << error_of(list.record(1));
  EXPECT_EQ(error_of(list.record(2)), "") << "only a key, whatever it looks like";
  EXPECT_FALSE(fs::exists(dir_.path().parent_path() / "1.png"));
}

TEST_F(WebDataset, SamplesThatMakeNoSenseHaveTheirOwnErrors) {
  const std::string image = picture();
  const WebDatasetList list({write("m.tar", {{"a.json", "{}"},
                                             {"b.png", image},
                                             {"c.txt", "caption"},
                                             {"d.txt", "  "},
                                             {"d.png", image},
                                             {"e.txt", "\xff\xfe"},
                                             {"e.png", image},
                                             {"f.png", image},
                                             {"f.png", image},
                                             {"f.txt", "twice"},
                                             {"g.json", "{\"conver"},
                                             {"h.txt", "broken"},
                                             {"h.png", image.substr(0, 60)},
                                             {"i.txt", "fine"},
                                             {"i.png", image}})},
                            0, 10);
  ASSERT_EQ(list.size(), 9);
  const char* kinds[] = {"schema", "schema", "schema", "no_assistant", "json", "schema",
                         "json",   "decode", ""};
  for (int64_t i = 0; i < list.size(); ++i) {
    const std::string error = error_of(list.record(i));
    EXPECT_EQ(error.substr(0, error.find(':')), kinds[i]) << i << " " << error;
    EXPECT_EQ(error.find('\n'), error.npos);
  }
}

TEST_F(WebDataset, ACutOffTarLosesItsEndOnly) {
  const std::string image = picture();
  const std::string whole = tar_of({{"a.txt", "A."},
                                    {"a.png", image},
                                    {"b.txt", "B."},
                                    {"b.png", image},
                                    {"c.txt", "C."},
                                    {"c.png", image}});
  const WebDatasetList uncut({dir_.write("whole.tar", whole)}, 0, 10);
  ASSERT_EQ(uncut.size(), 3);
  // Wherever it breaks off, a sample that is whole is good, and none is good that is not.
  const size_t sample = whole.size() / 3;
  for (size_t end = 512; end < whole.size(); end += 700) {
    const WebDatasetList list({dir_.write("cut.tar", whole.substr(0, end))}, 0, 10);
    int64_t good = 0;
    for (int64_t i = 0; i < list.size(); ++i) {
      const std::string error = error_of(list.record(i));
      good += error.empty();
      EXPECT_TRUE(error.empty() || error.starts_with("decode: ") || error.starts_with("schema: ")) << error;
      EXPECT_TRUE(error.empty() || i + 2 >= list.size()) << "sample " << i << " of a tar cut at " << end;
    }
    EXPECT_GE(good, static_cast<int64_t>(end / sample) - 1);
    EXPECT_LE(good, static_cast<int64_t>(end / (sample - 2048)));
  }
}

TEST_F(WebDataset, DamageInTheMiddleIsTold) {
  const std::string image = picture();
  std::string bytes = tar_of({{"a.txt", "A."}, {"a.png", image}, {"b.txt", "B."}, {"b.png", image}});
  const size_t header = bytes.find("b.txt");
  ASSERT_NE(header, bytes.npos);
  bytes[header + 150] = 'z';  // its checksum
  const WebDatasetList list({dir_.write("d.tar", bytes)}, 0, 10);
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(error_of(list.record(0)), "");
  EXPECT_NE(error_of(list.record(1)).find("% of it, is lost; make it anew"), std::string::npos)
      << error_of(list.record(1));
}

TEST_F(WebDataset, WhatIsNoTarIsAnError) {
  const auto error = [&](const std::string& content) {
    return test::error_of([&] { WebDatasetList({dir_.write("x.tar", content)}, 0, 10); });
  };
  EXPECT_NE(error("\x1f\x8b\x08 compressed, they say").find("uncompressed tar"), std::string::npos);
  EXPECT_NE(error(std::string(5000, 'x')).find("uncompressed tar"), std::string::npos);
  EXPECT_NE(error(""), "");
  EXPECT_NE(error(tar_of({})).find("holds no sample"), std::string::npos);
  EXPECT_NE(test::error_of([&] { WebDatasetList({dir_ / "none.tar"}, 0, 10); }).find("not found"),
            std::string::npos);
}

TEST_F(WebDataset, APassTakesEachSampleOnceAndShufflesWithinItsWindow) {
  std::vector<fs::path> shards;
  for (int s = 0; s < 5; ++s) {
    Members members;
    for (int i = 0; i < 3 + s; ++i) members.emplace_back(std::to_string(i) + ".txt", "caption");
    shards.push_back(write("s" + std::to_string(s) + ".tar", members));
  }
  const int64_t window = 6;
  const WebDatasetList list(shards, 0, window);
  ASSERT_EQ(list.size(), 25);
  std::set<std::vector<int64_t>> passes;
  for (int64_t pass = 0; pass < 4; ++pass) {
    std::vector<int64_t> order;
    for (int64_t k = 0; k < list.size(); ++k) order.push_back(list.order(5, pass, k));
    EXPECT_EQ(std::set(order.begin(), order.end()).size(), 25u);
    passes.insert(order);
    // A window reaches over few shards: its samples lie together.
    for (int64_t block = 0; block < list.size(); block += window) {
      std::set<std::string> files;
      for (int64_t k = block; k < std::min(block + window, list.size()); ++k) {
        files.insert(list.record(order[static_cast<size_t>(k)]).origin.file);
      }
      EXPECT_LE(files.size(), 3u);
    }
    // Any position can be asked for, in any order.
    for (int64_t k = list.size() - 1; k >= 0; --k)
      EXPECT_EQ(list.order(5, pass, k), order[static_cast<size_t>(k)]);
  }
  EXPECT_EQ(passes.size(), 4u);
}

TEST_F(WebDataset, MixesWithOtherLists) {
  DataConfig config;
  config.sources.resize(2);
  config.sources[0].data_path = {write("a.tar", {{"0.txt", "x"}, {"1.txt", "y"}}).string()};
  config.sources[1].data_path = {dir_.write("b.jsonl", "{}\n{}\n{}\n").string()};
  EXPECT_EQ(open_mixture(config, 1, 1)->total_records(), 5);
  config.sources[1].data_path.push_back(config.sources[0].data_path[0]);
  EXPECT_NE(test::error_of([&] { open_mixture(config, 1, 1); }).find("make them two"), std::string::npos);
  config.sources.resize(1);
  config.sources[0].format = "official";
  EXPECT_NE(test::error_of([&] { open_mixture(config, 1, 1); }).find("format \"webdataset\""),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::data
