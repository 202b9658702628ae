#include "ops/parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <link.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace vl3::ops {
namespace {

/// Sets libtorch's number of threads, also on a machine with fewer cores.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

std::set<std::thread::id> threads_of_a_loop() {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for(0, 8, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  return seen;
}

TEST(ParallelFor, RunsOnAsManyThreadsAsLibtorchWasGiven) {
  for (const int count : {1, 2, 4}) {
    const Threads threads(count);
    EXPECT_EQ(threads_of_a_loop().size(), static_cast<size_t>(count));
  }
}

TEST(ParallelFor, CoversEveryIndexOnceInNoMorePiecesThanTheGrainAllows) {
  const Threads threads(3);
  for (const int64_t n : {1, 2, 3, 7, 100, 1001}) {
    for (const int64_t grain : {1, 4, 100}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
      std::atomic<int64_t> pieces = 0;
      parallel_for(5, 5 + n, grain, [&](int64_t first, int64_t last) {
        ++pieces;
        for (int64_t i = first; i < last; ++i) ++visits[static_cast<size_t>(i - 5)];
      });
      for (const auto& count : visits) EXPECT_EQ(count, 1) << n << " " << grain;
      EXPECT_LE(pieces, (n + grain - 1) / grain) << n << " " << grain;
    }
  }
  parallel_for(3, 3, 1, [](int64_t, int64_t) { FAIL() << "nothing to do"; });
}

TEST(ParallelFor, RunsOnOneThreadInsideAnotherLoop) {
  const Threads threads(2);
  std::atomic<int> pieces = 0;
  parallel_for(0, 2, 1,
               [&](int64_t, int64_t) { parallel_for(0, 100, 1, [&](int64_t, int64_t) { ++pieces; }); });
  EXPECT_EQ(pieces, 2);
}

TEST(ParallelItems, CallsEveryItemOnceOnAllThreads) {
  const Threads threads(2);
  for (const int64_t n : {0, 1, 2, 100}) {
    std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
    parallel_items(n, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; });
    for (const auto& count : visits) EXPECT_EQ(count, 1) << n;
  }
  // Neither returns before the other has begun: with one thread this would never end.
  std::atomic<int> begun = 0;
  parallel_items(2, [&](int64_t) {
    ++begun;
    while (begun < 2) std::this_thread::yield();
  });
}

TEST(ParallelFor, PassesAnExceptionOn) {
  const Threads threads(2);
  EXPECT_THROW(parallel_for(0, 2, 1, [](int64_t, int64_t) { throw std::runtime_error("inside"); }),
               std::runtime_error);
  EXPECT_EQ(threads_of_a_loop().size(), 2u) << "the pool lives on";
}

// Two OpenMP runtimes would have two pools of threads that take the cores from one another.
TEST(ParallelFor, SharesTheOneOpenMpRuntimeOfLibtorch) {
  std::vector<std::string> runtimes;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        const std::string name = info->dlpi_name;
        const bool runtime = name.find("libgomp") != std::string::npos ||
                             name.find("libomp") != std::string::npos ||
                             name.find("libiomp") != std::string::npos;
        if (runtime) static_cast<std::vector<std::string>*>(data)->push_back(name);
        return 0;
      },
      &runtimes);
  EXPECT_EQ(runtimes.size(), 1u) << testing::PrintToString(runtimes);
}

}  // namespace
}  // namespace vl3::ops
