#include "core/freed_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "core/process.h"

// As the programs set it (src/cli/main.cpp), where the tests are linked with jemalloc.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:-1,muzzy_decay_ms:0";

namespace vl3 {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(FreedMemory, GoesBackToTheSystem) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's allocator keeps what was freed";
#endif
  constexpr size_t kBlock = size_t{64} << 10, kBlocks = 2048;
  std::vector<std::unique_ptr<char[]>> blocks;
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(std::make_unique<char[]>(kBlock));
    std::fill_n(blocks.back().get(), kBlock, 'x');
  }
  const uint64_t held = resident_bytes();
  blocks.erase(blocks.begin(),
               blocks.end() - 1);  // the last one keeps a heap that ends with it from shrinking
  ASSERT_GT(resident_bytes() + 64 * kMiB, held) << "freed memory went back by itself";
  return_freed_memory();
  EXPECT_LT(resident_bytes() + 100 * kMiB, held);
}

}  // namespace
}  // namespace vl3
