#include "data/mixture_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/random.h"
#include "support/temp_dir.h"

namespace vl3::data {
namespace {

class MixtureStreamTest : public testing::Test {
 protected:
  /// A list of `size` records whose text is "NAME:number".
  DataSource source(const std::string& name, int size, double weight) {
    std::string lines;
    for (int i = 0; i < size; ++i) lines += "\"" + name + ":" + std::to_string(i) + "\"\n";
    DataSource source;
    source.data_path = {dir_.write(name + ".jsonl", lines).string()};
    source.weight = weight;
    return source;
  }

  test::TempDir dir_;
};

std::string text_of(const Record& record) { return record.load().json; }

std::vector<std::string> take(RecordStream& stream, int64_t count) {
  std::vector<std::string> texts;
  for (int64_t i = 0; i < count; ++i) {
    const std::optional<Record> record = stream.next();
    if (!record) break;
    texts.push_back(text_of(*record));
  }
  return texts;
}

TEST(Permutation, IsOne) {
  for (const int64_t size : {1, 2, 3, 4, 5, 17, 64, 1000, 4097}) {
    std::set<int64_t> seen;
    int64_t fixed = 0;
    const Permutation permutation(size, 99);
    for (int64_t i = 0; i < size; ++i) {
      const int64_t at = permutation(i);
      EXPECT_TRUE(at >= 0 && at < size);
      seen.insert(at);
      fixed += at == i;
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), size);
    EXPECT_TRUE(size < 64 || fixed < 10) << size;
  }
}

TEST(Permutation, HasNoLeaningToNearPlaces) {
  // Halves are well mixed: of the first half of the order about half comes from the first half.
  constexpr int64_t kSize = 10'000;
  for (uint64_t key = 0; key < 20; ++key) {
    const Permutation permutation(kSize, mix({key}));
    int64_t low = 0;
    for (int64_t i = 0; i < kSize / 2; ++i) low += permutation(i) < kSize / 2;
    EXPECT_NEAR(static_cast<double>(low), kSize / 4.0, 200);
  }
}

TEST_F(MixtureStreamTest, AnEpochHasEveryRecordOnceInAnOrderOfItsOwn) {
  DataConfig config;
  config.sources = {source("a", 50, 1)};
  const auto stream = open_mixture(config, 7, 2);
  EXPECT_EQ(stream->total_records(), 100);
  const std::vector<std::string> first = take(*stream, 50), second = take(*stream, 50);
  EXPECT_FALSE(stream->next());
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 50u);
  EXPECT_EQ(std::set(second.begin(), second.end()).size(), 50u);
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::ranges::is_sorted(first));
  const auto other = open_mixture(config, 8, 2);
  EXPECT_NE(take(*other, 50), first) << "another seed, the same order";
  EXPECT_EQ(take(*open_mixture(config, 7, 2), 50), first);
}

TEST_F(MixtureStreamTest, WeightsSayHowManyPassesAnEpochMakes) {
  DataConfig config;
  config.sources = {source("a", 10, 2), source("b", 9, 0.5), source("c", 7, 1)};
  const auto stream = open_mixture(config, 3, 4);
  std::map<std::string, int> of_b, of_a, of_c;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    std::map<std::string, int> count;
    const int64_t records = stream->records_of_epoch(epoch);
    EXPECT_EQ(records, 20 + 7 + (epoch % 2 == 0 ? 4 : 5));
    int changes = 0;
    char before = 0;
    for (const std::string& text : take(*stream, records)) {
      ++count[text];
      ++(text[1] == 'a' ? of_a : text[1] == 'b' ? of_b : of_c)[text];
      changes += text[1] != before;
      before = text[1];
    }
    EXPECT_GT(changes, 8) << "the lists stand one after the other";
    for (const auto& [text, times] : count) {
      EXPECT_EQ(times, text[1] == 'a' ? 2 : 1) << text;
    }
  }
  // Two halves are a whole: in four epochs every record of b came twice.
  EXPECT_EQ(of_b.size(), 9u);
  for (const auto& [text, times] : of_b) EXPECT_EQ(times, 2) << text;
  for (const auto& [text, times] : of_a) EXPECT_EQ(times, 8) << text;
  for (const auto& [text, times] : of_c) EXPECT_EQ(times, 4) << text;
}

TEST_F(MixtureStreamTest, GoesOnFromAnyPosition) {
  DataConfig config;
  config.sources = {source("a", 13, 1), source("b", 5, 0.4)};
  const auto whole = open_mixture(config, 11, 3);
  std::vector<std::string> order;
  std::vector<Json> states;
  std::vector<uint64_t> seeds;
  while (true) {
    states.push_back(parse_json(whole->state().dump(), "state"));
    const auto record = whole->next();
    if (!record) break;
    order.push_back(text_of(*record));
    seeds.push_back(record->seed);
    EXPECT_EQ(record->position, static_cast<int64_t>(order.size()) - 1);
  }
  ASSERT_EQ(static_cast<int64_t>(order.size()), whole->total_records());
  EXPECT_EQ(std::set(seeds.begin(), seeds.end()).size(), seeds.size());
  for (size_t at = 0; at <= order.size(); ++at) {
    const auto resumed = open_mixture(config, 11, 3);
    resumed->restore(states[at]);
    EXPECT_EQ(resumed->state(), states[at]);
    EXPECT_EQ(take(*resumed, 1000),
              std::vector<std::string>(order.begin() + static_cast<std::ptrdiff_t>(at), order.end()));
  }
}

TEST_F(MixtureStreamTest, AStateOfOtherDataIsRefused) {
  DataConfig config;
  config.sources = {source("a", 13, 1)};
  const Json state = open_mixture(config, 11, 3)->state();
  EXPECT_NE(test::error_of([&] {
              open_mixture(config, 12, 3)->restore(state);
            }).find("\"seed\" was 11, now it is 12"),
            std::string::npos);
  source("a", 14, 1);  // the file has grown
  EXPECT_NE(test::error_of([&] { open_mixture(config, 11, 3)->restore(state); }).find("\"lists\""),
            std::string::npos);
  EXPECT_NE(test::error_of([&] { open_mixture(config, 11, 3)->restore(Json::object()); }), "");
}

TEST_F(MixtureStreamTest, AnEndlessStreamHasNoTotal) {
  DataConfig config;
  config.sources = {source("a", 3, 1)};
  const auto stream = open_mixture(config, 1, 0);
  EXPECT_EQ(stream->total_records(), 0);
  EXPECT_EQ(take(*stream, 100).size(), 100u);
}

TEST_F(MixtureStreamTest, MoreRecordsThanCanBeCountedAreAnError) {
  class Endless final : public RecordList {
   public:
    int64_t size() const override { return 1'000'000'000'000; }
    Record record(int64_t) const override { return {}; }
    int64_t order(uint64_t, int64_t, int64_t k) const override { return k; }
    std::string fingerprint() const override { return ""; }
  };
  const auto open = [](double weight, double epochs) {
    return test::error_of([&] { MixtureStream({std::make_shared<Endless>()}, {weight}, 1, epochs); });
  };
  EXPECT_EQ(open(1, 10), "");
  EXPECT_EQ(open(1000, 0), "");
  EXPECT_NE(open(1000, 1e6).find("the data has 1e+21 records in 1000000 epochs"), std::string::npos)
      << open(1000, 1e6);
}

TEST_F(MixtureStreamTest, SourcesThatCannotBeReadAreErrors) {
  const auto error = [&](auto&& change) {
    DataConfig config;
    config.sources = {source("a", 3, 1)};
    change(config);
    return test::error_of([&] { open_mixture(config, 1, 1); });
  };
  EXPECT_NE(error([](DataConfig& c) { c.sources[0].weight = 0; }).find("weight is 0"), std::string::npos);
  EXPECT_NE(error([](DataConfig& c) { c.sources[0].weight = NAN; }).find("weight is nan"), std::string::npos);
  EXPECT_NE(error([](DataConfig& c) { c.sources[0].data_path.clear(); }).find("names no file"),
            std::string::npos);
  EXPECT_NE(error([](DataConfig& c) { c.sources[0].data_path = {"/none/*.jsonl"}; }).find("no file matches"),
            std::string::npos);
  EXPECT_NE(error([](DataConfig& c) { c.sources[0].format = "coco"; }).find("format \"coco\""),
            std::string::npos);
  EXPECT_NE(error([](DataConfig& c) { c.sources.clear(); }), "");
  EXPECT_NE(error([&](DataConfig& c) {
              c.sources[0].data_path = {dir_.write("e.jsonl", "\n").string()};
            }).find("holds no annotation"),
            std::string::npos);
}

TEST_F(MixtureStreamTest, GlobsNameSeveralFiles) {
  source("x1", 3, 1);
  source("x2", 4, 1);
  DataConfig config;
  config.sources.resize(1);
  config.sources[0].data_path = {(dir_ / "x*.jsonl").string()};
  EXPECT_EQ(open_mixture(config, 1, 1)->total_records(), 7);
}

}  // namespace
}  // namespace vl3::data
