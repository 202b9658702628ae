#include "data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "data/golden_train_set.h"
#include "data/mixture_stream.h"
#include "data/random.h"
#include "support/temp_dir.h"

namespace vl3::data {
namespace {

/// Records 0 … count-1 in order, whose position is all there is to them.
class CountingStream final : public RecordStream {
 public:
  explicit CountingStream(int64_t count) : count_(count) {}
  std::optional<Record> next() override {
    if (at_ == count_) return std::nullopt;
    Record record;
    record.origin = {"counting", at_ + 1, 0};
    record.position = at_++;
    return record;
  }
  Json state() const override { return {{"at", at_}}; }
  void restore(const Json& state) override { at_ = state.at("at").get<int64_t>(); }
  int64_t total_records() const override { return count_; }

 private:
  int64_t count_;
  int64_t at_ = 0;
};

int64_t length_of(int64_t position) {
  return 5 + static_cast<int64_t>(mix({static_cast<uint64_t>(position)}) % 60);
}

Sample sample_of(const Record& record, size_t patch_bytes = 0) {
  Sample sample;
  sample.id = std::to_string(record.position);
  sample.input_ids.assign(static_cast<size_t>(length_of(record.position)), record.position);
  sample.labels = sample.input_ids;
  sample.labelled_tokens = static_cast<int64_t>(sample.labels.size()) - 1;
  if (patch_bytes > 0) sample.media.emplace_back().patches_u8.assign(patch_bytes, 1);
  return sample;
}

SampleFunctions counting_functions() {
  SampleFunctions functions;
  functions.build = [](const Record& record, const std::atomic<bool>&) { return sample_of(record); };
  functions.estimate = [](const Record& record) { return length_of(record.position); };
  return functions;
}

DataConfig settings(int64_t workers = 2) {
  DataConfig config;
  config.dataloader_num_workers = workers;
  config.row_tokens = config.model_max_length = 128;
  config.max_bad_share = 1;
  config.sample_timeout_s = 60;
  return config;
}

std::vector<std::string> ids_of(const StepBatch& batch) {
  std::vector<std::string> ids;
  for (const PackedRow& row : batch.rows) ids.insert(ids.end(), row.sample_ids.begin(), row.sample_ids.end());
  return ids;
}

std::string shown(const StepBatch& batch) {
  std::string out = std::to_string(batch.step) + "/" + std::to_string(batch.records) + ":";
  for (const PackedRow& row : batch.rows) {
    for (const std::string& id : row.sample_ids) out += " " + id;
    out += " |";
  }
  for (const BadSampleEntry& entry : batch.bad) out += " bad " + to_json(entry).dump();
  return out;
}

std::vector<std::string> run(Loader& loader) {
  std::vector<std::string> steps;
  while (const std::optional<StepBatch> batch = loader.next()) steps.push_back(shown(*batch));
  return steps;
}

TEST(Loader, GivesEveryRecordOnceInRowsWithinTheBudget) {
  Loader loader(std::make_unique<CountingStream>(100), counting_functions(), settings(),
                {.global_batch_size = 16});
  std::multiset<std::string> seen;
  int64_t steps = 0;
  while (const std::optional<StepBatch> batch = loader.next()) {
    EXPECT_EQ(batch->step, steps++);
    EXPECT_EQ(batch->records, batch->step == 6 ? 4 : 16);
    EXPECT_EQ(batch->samples, batch->records);
    for (const PackedRow& row : batch->rows) EXPECT_LE(row.length(), 128);
    for (const std::string& id : ids_of(*batch)) seen.insert(id);
  }
  EXPECT_EQ(steps, 7);
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 100u);
  EXPECT_FALSE(loader.next());
}

TEST(Loader, TheNumberOfWorkersChangesNothing) {
  SampleFunctions functions = counting_functions();
  functions.build = [](const Record& record, const std::atomic<bool>&) {
    // Later ones are often ready first.
    std::this_thread::sleep_for(
        std::chrono::microseconds(mix({7, static_cast<uint64_t>(record.position)}) % 2000));
    if (record.position % 9 == 4)
      throw BadSample(BadKind::kDecode, "record " + std::to_string(record.position));
    return sample_of(record);
  };
  std::vector<std::vector<std::string>> runs;
  for (const int64_t workers : {1, 4, 4}) {
    Loader loader(std::make_unique<CountingStream>(120), functions, settings(workers),
                  {.global_batch_size = 10});
    runs.push_back(run(loader));
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(runs[1], runs[2]);
  EXPECT_NE(
      runs[0][0].find(R"(bad {"id":"","source":"counting","line":5,"kind":"decode","reason":"record 4"})"),
      std::string::npos)
      << runs[0][0];
}

TEST(Loader, AStepHasTheSameSamplesForAnyNumberOfProcesses) {
  std::vector<std::vector<std::string>> wanted;
  for (const int64_t world : {1, 2, 3, 5}) {
    std::vector<std::vector<std::string>> steps;
    std::vector<std::vector<int64_t>> tokens;
    for (int64_t rank = 0; rank < world; ++rank) {
      Loader loader(std::make_unique<CountingStream>(64), counting_functions(), settings(),
                    {.rank = rank, .world_size = world, .global_batch_size = 20});
      size_t step = 0;
      while (const std::optional<StepBatch> batch = loader.next()) {
        if (steps.size() <= step) steps.emplace_back(), tokens.emplace_back();
        for (const std::string& id : ids_of(*batch)) steps[step].push_back(id);
        tokens[step].push_back(batch->tokens);
        ++step;
      }
    }
    for (auto& step : steps) std::ranges::sort(step);
    if (wanted.empty()) wanted = steps;
    EXPECT_EQ(steps, wanted) << world << " processes";
    for (const auto& step : tokens) {
      ASSERT_EQ(static_cast<int64_t>(step.size()), world);
      EXPECT_LE(std::ranges::max(step) - std::ranges::min(step), 65) << "one process has much more to do";
    }
  }
}

TEST(Loader, GoesOnExactlyAfterAnyStep) {
  const LoaderOptions options{.global_batch_size = 7};
  std::vector<std::string> whole;
  std::vector<Json> states;
  {
    Loader loader(std::make_unique<CountingStream>(50), counting_functions(), settings(4), options);
    states.push_back(loader.state());
    while (const std::optional<StepBatch> batch = loader.next()) {
      whole.push_back(shown(*batch));
      states.push_back(parse_json(loader.state().dump(), "state"));
    }
  }
  for (size_t at = 0; at <= whole.size(); ++at) {
    Loader loader(std::make_unique<CountingStream>(50), counting_functions(),
                  settings(1 + static_cast<int64_t>(at % 3)), options);
    loader.restore(states[at]);
    EXPECT_EQ(loader.state(), states[at]);
    EXPECT_EQ(run(loader),
              std::vector<std::string>(whole.begin() + static_cast<std::ptrdiff_t>(at), whole.end()));
  }
}

TEST(Loader, GoesOnWithAnotherNumberOfProcesses) {
  Json state;
  {
    Loader loader(std::make_unique<CountingStream>(60), counting_functions(), settings(),
                  {.rank = 1, .world_size = 3, .global_batch_size = 12});
    loader.next();
    loader.next();
    state = loader.state();
  }
  std::multiset<std::string> rest;
  for (int64_t rank = 0; rank < 2; ++rank) {
    Loader loader(std::make_unique<CountingStream>(60), counting_functions(), settings(),
                  {.rank = rank, .world_size = 2, .global_batch_size = 12});
    loader.restore(state);
    int64_t step = 2;
    while (const std::optional<StepBatch> batch = loader.next()) {
      EXPECT_EQ(batch->step, step++);
      for (const std::string& id : ids_of(*batch)) {
        rest.insert(id);
        EXPECT_EQ(std::stoll(id) / 12, batch->step);
      }
    }
  }
  EXPECT_EQ(rest.size(), 36u);
}

TEST(Loader, AStepCanBeMeasuredInTokens) {
  Loader loader(std::make_unique<CountingStream>(80), counting_functions(), settings(),
                {.global_batch_tokens = 300});
  int64_t records = 0;
  while (const std::optional<StepBatch> batch = loader.next()) {
    records += batch->records;
    EXPECT_LT(batch->tokens, 300 + 65);
    EXPECT_TRUE(records == 80 || batch->tokens >= 300);
  }
  EXPECT_EQ(records, 80);
}

/// A gate that builders wait at.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
    ++passed_;
    changed_.notify_all();
  }
  void wait_passed(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return passed_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int passed_ = 0;
};

TEST(Loader, ASampleThatHangsCostsItsTimeOutOnly) {
  auto gate = std::make_shared<Gate>();
  {
    SampleFunctions functions = counting_functions();
    functions.build = [gate](const Record& record, const std::atomic<bool>&) {
      if (record.position == 3 || record.position == 4 || record.position == 11) gate->pass();
      return sample_of(record);
    };
    DataConfig config = settings(2);
    config.sample_timeout_s = 0.2;
    Loader loader(std::make_unique<CountingStream>(20), functions, config, {.global_batch_size = 10});
    std::vector<std::string> ids;
    std::vector<BadSampleEntry> bad;
    while (const std::optional<StepBatch> batch = loader.next()) {
      for (const std::string& id : ids_of(*batch)) ids.push_back(id);
      bad.insert(bad.end(), batch->bad.begin(), batch->bad.end());
    }
    EXPECT_EQ(ids.size(), 17u);
    ASSERT_EQ(bad.size(), 3u);
    EXPECT_EQ(bad[0].kind, BadKind::kTimeout);
    EXPECT_EQ(bad[0].line, 4);
  }
  gate->open();
  gate->wait_passed(3);  // the threads that were left behind end before the test does
}

TEST(Loader, StopsAtAnyMoment) {
  for (int round = 0; round < 30; ++round) {
    SampleFunctions functions = counting_functions();
    functions.build = [](const Record& record, const std::atomic<bool>& cancelled) {
      for (int i = 0; i < 20 && !cancelled; ++i) std::this_thread::sleep_for(std::chrono::microseconds(100));
      if (cancelled) throw Error(ErrorCode::kCancelled, "cancelled");
      return sample_of(record);
    };
    Loader loader(std::make_unique<CountingStream>(1000), functions, settings(1 + round % 4),
                  {.global_batch_size = 8});
    for (int step = 0; step < round % 5; ++step) loader.next();
    std::this_thread::sleep_for(std::chrono::microseconds(round * 150));
  }
}

TEST(Loader, AHangingDecoderDoesNotHoldUpTheEnd) {
  auto gate = std::make_shared<Gate>();
  {
    SampleFunctions functions = counting_functions();
    functions.build = [gate](const Record& record, const std::atomic<bool>&) {
      if (record.position >= 10) gate->pass();
      return sample_of(record);
    };
    DataConfig config = settings(2);
    config.sample_timeout_s = 0.2;
    Loader loader(std::make_unique<CountingStream>(1000), functions, config, {.global_batch_size = 10});
    EXPECT_EQ(loader.next()->samples, 10);
  }
  gate->open();
}

TEST(Loader, AWaitEndsWhenItIsAsked) {
  auto gate = std::make_shared<Gate>();
  std::atomic<bool> asked{false};
  SampleFunctions functions = counting_functions();
  functions.build = [gate](const Record& record, const std::atomic<bool>&) {
    if (record.position == 7) gate->pass();
    return sample_of(record);
  };
  Loader loader(std::make_unique<CountingStream>(20), functions, settings(2),
                {.global_batch_size = 5, .stop_asked = [&] { return asked.load(); }});
  EXPECT_EQ(loader.next()->step, 0);
  const Json before = loader.state();
  asked = true;
  const auto batch = loader.next();
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->interrupted);
  EXPECT_EQ(batch->records, 0);
  EXPECT_EQ(loader.state(), before);
  asked = false;
  gate->open();
  EXPECT_EQ(loader.next()->step, 1);
  EXPECT_EQ(loader.next()->step, 2);
}

TEST(Loader, AStepByTokensHasABoundOfRecords) {
  Loader loader(std::make_unique<CountingStream>(40), counting_functions(), settings(),
                {.global_batch_tokens = 1'000'000'000'000, .most_records = 30});
  EXPECT_EQ(loader.next()->records, 30);
  EXPECT_EQ(loader.next()->records, 10);
  EXPECT_FALSE(loader.next());
}

TEST(Loader, AnEstimateThatHangsEndsTheRun) {
  auto gate = std::make_shared<Gate>();
  {
    SampleFunctions functions = counting_functions();
    functions.estimate = [gate](const Record& record) {
      if (record.position == 7) gate->pass();
      return int64_t{10};
    };
    DataConfig config = settings(2);
    config.sample_timeout_s = 0.2;
    Loader loader(std::make_unique<CountingStream>(20), functions, config,
                  {.rank = 0, .world_size = 2, .global_batch_size = 5});
    EXPECT_EQ(loader.next()->records, 5);
    EXPECT_EQ(
        test::error_of([&] { loader.next(); }),
        "limit reached: counting:8: reading the headers of its media takes longer than sample_timeout_s = "
        "0.2; is their disk there?");
  }
  gate->open();
  gate->wait_passed(1);
}

TEST(Loader, WaitingSamplesStayWithinTheirBytes) {
  constexpr size_t kBytes = 100'000;
  SampleFunctions functions = counting_functions();
  functions.build = [](const Record& record, const std::atomic<bool>&) { return sample_of(record, kBytes); };
  DataConfig config = settings(4);
  config.prefetch_bytes = 1'500'000;
  Loader loader(std::make_unique<CountingStream>(400), functions, config, {.global_batch_size = 5});
  int64_t samples = 0;
  while (const std::optional<StepBatch> batch = loader.next()) {
    samples += batch->samples;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // workers run ahead
    EXPECT_LE(loader.held_bytes(), config.prefetch_bytes);
  }
  EXPECT_EQ(samples, 400);
  EXPECT_LE(loader.most_held_bytes(), config.prefetch_bytes);
  EXPECT_GT(loader.most_held_bytes(), 6 * static_cast<int64_t>(kBytes)) << "nothing was built ahead";
}

TEST(Loader, AStepLargerThanItsBytesIsBuiltAllTheSame) {
  SampleFunctions functions = counting_functions();
  functions.build = [](const Record& record, const std::atomic<bool>&) { return sample_of(record, 50'000); };
  DataConfig config = settings(3);
  config.prefetch_bytes = 1000;
  Loader loader(std::make_unique<CountingStream>(40), functions, config, {.global_batch_size = 20});
  EXPECT_EQ(run(loader).size(), 2u);
}

TEST(Loader, DefectsAndBrokenStreamsAreThrown) {
  SampleFunctions functions = counting_functions();
  functions.build = [](const Record& record, const std::atomic<bool>&) {
    if (record.position == 12) throw Error(ErrorCode::kInternal, "a defect");
    return sample_of(record);
  };
  Loader loader(std::make_unique<CountingStream>(100), functions, settings(), {.global_batch_size = 10});
  EXPECT_TRUE(loader.next());
  EXPECT_EQ(test::error_of([&] { loader.next(); }), "internal: a defect");
}

TEST(Loader, ASampleWithNothingToLearnIsReported) {
  SampleFunctions functions = counting_functions();
  functions.build = [](const Record& record, const std::atomic<bool>&) {
    Sample sample = sample_of(record);
    if (record.position == 2) sample.labelled_tokens = 0;
    return sample;
  };
  Loader loader(std::make_unique<CountingStream>(5), functions, settings(), {.global_batch_size = 5});
  const auto batch = loader.next();
  EXPECT_EQ(batch->bad.size(), 1u);
  EXPECT_EQ(batch->samples, 4);
}

TEST(Loader, SettingsThatCannotBeHonouredAreErrors) {
  const auto error = [](auto&& change) {
    DataConfig config = settings();
    LoaderOptions options;
    change(config, options);
    return test::error_of(
        [&] { Loader(std::make_unique<CountingStream>(1), counting_functions(), config, options); });
  };
  EXPECT_NE(
      error([](DataConfig& c, LoaderOptions&) { c.row_tokens = 100; }).find("below data.model_max_length"),
      std::string::npos);
  EXPECT_NE(error([](DataConfig& c, LoaderOptions&) { c.packing = "best"; }).find("packing is \"best\""),
            std::string::npos);
  EXPECT_NE(error([](DataConfig& c, LoaderOptions&) { c.dataloader_num_workers = 0; }), "");
  EXPECT_NE(error([](DataConfig&, LoaderOptions& o) { o.rank = 2; }), "");
  EXPECT_NE(error([](DataConfig& c, LoaderOptions&) { c.max_bad_share = 2; }), "");
}

TEST(Loader, TrainsOnTheGoldenAnnotations) {
  const GoldenTrainSet& set = golden_train_set();
  DataConfig config = set.config();
  config.sources.resize(2);
  config.sources[0].data_path = {(set.dir / "data" / "annotations.jsonl").string()};
  config.sources[1].data_path = {(set.dir / "data" / "annotations_bad.jsonl").string()};
  config.row_tokens = 2 * config.model_max_length;
  config.max_bad_share = 1;
  config.use_token_compression = true;
  const auto builder = std::make_shared<const SampleBuilder>(set.model, set.tokenizer, config);
  std::vector<std::vector<std::string>> runs;
  for (const int64_t workers : {1, 4}) {
    config.dataloader_num_workers = workers;
    Loader loader(open_mixture(config, 42, 2), sample_functions(builder), config, {.global_batch_size = 6});
    runs.emplace_back();
    int64_t samples = 0, bad = 0;
    while (const std::optional<StepBatch> batch = loader.next()) {
      runs.back().push_back(shown(*batch));
      samples += batch->samples;
      bad += static_cast<int64_t>(batch->bad.size());
      EXPECT_EQ(batch->records_seen, samples + bad);
    }
    // Some good ones are cut so that nothing is left to learn.
    const auto good_lines = static_cast<int64_t>(golden_records("annotations.jsonl").size());
    const auto bad_lines = static_cast<int64_t>(golden_records("annotations_bad.jsonl").size());
    EXPECT_EQ(samples + bad, 2 * (good_lines + bad_lines));
    EXPECT_GE(bad, 2 * bad_lines);
    EXPECT_GT(samples, good_lines);
  }
  EXPECT_EQ(runs[0], runs[1]);
}

}  // namespace
}  // namespace vl3::data
