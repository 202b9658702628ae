#include "serve/queue/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace vl3::serve {
namespace {

constexpr int64_t kPage = 4;

/// A model of the engine: prompts of known length, answers of known length.
struct Bench {
  PagePool pool;
  Scheduler scheduler;
  std::map<uint64_t, int64_t> prompt, answer, made;
  std::vector<uint64_t> finished;

  Bench(int32_t pages, SchedulerOptions options) : pool(pages), scheduler(options, pool) {}

  void add(uint64_t id, int64_t prompt_rows, int64_t answer_rows, int priority = 0) {
    prompt[id] = prompt_rows;
    answer[id] = answer_rows;
    scheduler.add(id, priority);
  }

  Scheduler::Step step() {
    for (const uint64_t id : scheduler.running_ids()) scheduler.slot(id).ready = prompt[id] + made[id];
    Scheduler::Step step = scheduler.next();
    std::vector<uint64_t> done;
    for (const auto& [id, rows] : step.work) {
      Slot& slot = scheduler.slot(id);
      EXPECT_GE(static_cast<int64_t>(slot.pages.size()) * kPage, slot.computed + rows);
      slot.computed += rows;
      if (slot.computed < prompt[id] + made[id]) continue;
      slot.generating = true;
      if (++made[id] == answer[id]) done.push_back(id);
    }
    for (const uint64_t id : done) {
      scheduler.remove(id);
      finished.push_back(id);
    }
    return step;
  }
};

SchedulerOptions options(int64_t step_rows = 8) {
  return {.max_sequences = 8, .step_rows = step_rows, .page_rows = kPage};
}

TEST(Scheduler, ALongPromptHoldsOthersUpForOnePieceOnly) {
  Bench bench(100, options(8));
  bench.add(1, 2, 100);
  bench.step();  // admits
  bench.step();
  bench.add(2, 200, 1);
  bench.step();
  for (int i = 0; i < 10; ++i) {
    const int64_t before = bench.made[1];
    const Scheduler::Step step = bench.step();
    int64_t rows = 0;
    for (const auto& work : step.work) rows += work.rows;
    EXPECT_LE(rows, 8);
    EXPECT_EQ(bench.made[1], before + 1) << "the stream missed a step";
  }
}

TEST(Scheduler, PromptsTakeTurns) {
  Bench bench(100, options(8));
  bench.add(1, 64, 1);
  bench.add(2, 64, 1);
  bench.step();
  std::vector<uint64_t> turns;
  for (int i = 0; i < 4; ++i) turns.push_back(bench.step().work.front().id);
  EXPECT_EQ(turns, (std::vector<uint64_t>{1, 2, 1, 2}));
}

TEST(Scheduler, SetsTheLatestBackWhenPagesRunOutAndAllFinish) {
  Bench bench(6, options(8));
  for (uint64_t id = 1; id <= 4; ++id) bench.add(id, 6, 10);  // 4 pages each at the end, 6 there are
  std::vector<uint64_t> set_back;
  for (int i = 0; i < 400 && bench.finished.size() < 4; ++i) {
    const Scheduler::Step step = bench.step();
    EXPECT_TRUE(step.too_long.empty());
    set_back.insert(set_back.end(), step.set_back.begin(), step.set_back.end());
  }
  EXPECT_EQ(bench.finished.size(), 4u);
  EXPECT_EQ(bench.finished.front(), 1u);
  EXPECT_FALSE(set_back.empty());
  EXPECT_EQ(std::count(set_back.begin(), set_back.end(), 1u), 0) << "the oldest is never set back";
  EXPECT_EQ(bench.pool.held(), 0);
  EXPECT_EQ(bench.scheduler.preemptions(), set_back.size());
}

TEST(Scheduler, SaysWhichCannotGoOnAlone) {
  Bench bench(2, options(8));
  bench.add(1, 4, 100);
  std::vector<uint64_t> too_long;
  for (int i = 0; i < 20 && too_long.empty(); ++i) too_long = bench.step().too_long;
  EXPECT_EQ(too_long, std::vector<uint64_t>{1});
  EXPECT_EQ(bench.made[1], 5);  // two pages hold the prompt and four tokens more; a fifth was still chosen
}

TEST(Scheduler, SmallerPriorityFirst) {
  Bench bench(100, {.max_sequences = 1, .step_rows = 8, .page_rows = kPage});
  bench.add(1, 4, 3, 5);
  bench.add(2, 4, 3, -1);
  for (int i = 0; i < 20; ++i) bench.step();
  EXPECT_EQ(bench.finished, (std::vector<uint64_t>{2, 1}));
}

TEST(Scheduler, RandomLoadsAlwaysEnd) {
  uint64_t state = 7;
  const auto random = [&](uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  for (int round = 0; round < 50; ++round) {
    Bench bench(static_cast<int32_t>(8 + random(20)), options(4 + static_cast<int64_t>(random(12))));
    for (uint64_t id = 1; id <= 12; ++id)
      bench.add(id, 1 + static_cast<int64_t>(random(20)), 1 + static_cast<int64_t>(random(12)),
                static_cast<int>(random(3)));
    for (int i = 0; i < 5000 && bench.finished.size() < 12; ++i) bench.step();
    EXPECT_EQ(bench.finished.size(), 12u) << "round " << round;
    EXPECT_EQ(bench.pool.held(), 0);
  }
}

}  // namespace
}  // namespace vl3::serve
