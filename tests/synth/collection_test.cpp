#include "synth/collection.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "core/file.h"
#include "core/json.h"
#include "support/temp_dir.h"

namespace vl3::synth {
namespace {

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::istringstream text(read_file(file, 1 << 28));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST(Collection, EveryLineHasItsTruthAndEveryFaultOccurs) {
  const test::TempDir dir;
  write_collection({dir / "raw", 500, 3});
  const std::vector<std::string> items = lines_of(dir / "raw/items.jsonl"),
                                 truths = lines_of(dir / "raw/truth.jsonl");
  ASSERT_EQ(items.size(), 500u);
  ASSERT_EQ(truths.size(), 500u);
  std::map<std::string, int> faults;
  int rare = 0;
  for (size_t i = 0; i < truths.size(); ++i) {
    const Json truth = Json::parse(truths[i]);
    EXPECT_EQ(truth.at("position"), i);
    const std::string fault = truth.at("fault");
    ++faults[fault];
    rare += truth.value("rare", false) ? 1 : 0;
    if (fault.starts_with("hostile")) continue;
    const Json item = Json::parse(items[i]);
    const std::filesystem::path file = dir / "raw/media" / item.at("image").get<std::string>();
    ASSERT_TRUE(std::filesystem::is_regular_file(file)) << file;
    if (fault != "exact_duplicate") continue;
    const Json original = Json::parse(items[truth.at("original").get<size_t>()]);
    EXPECT_EQ(read_file(file, 1 << 24),
              read_file(dir / "raw/media" / original.at("image").get<std::string>(), 1 << 24));
  }
  for (const FaultShare& share : fault_shares()) {
    const double expected = share.share * 500;
    EXPECT_GT(faults[share.name], expected / 4 - 1.5) << share.name;
    EXPECT_LT(faults[share.name], expected * 2.5 + 5) << share.name;
  }
  EXPECT_LT(rare, 15);
}

TEST(Collection, SameSeedSameBytes) {
  const test::TempDir dir;
  write_collection({dir / "a", 60, 5});
  write_collection({dir / "b", 60, 5});
  write_collection({dir / "c", 60, 6});
  EXPECT_EQ(lines_of(dir / "a/items.jsonl"), lines_of(dir / "b/items.jsonl"));
  EXPECT_EQ(lines_of(dir / "a/truth.jsonl"), lines_of(dir / "b/truth.jsonl"));
  EXPECT_NE(lines_of(dir / "a/truth.jsonl"), lines_of(dir / "c/truth.jsonl"));
}

}  // namespace
}  // namespace vl3::synth
