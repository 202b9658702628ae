#include "ops/huge_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace vl3::ops {
namespace {

TEST(HugeMemory, GivesPiecesOfTheirOwn) {
  std::vector<std::shared_ptr<std::byte>> pieces;
  std::vector<size_t> sizes;
  for (size_t i = 0; i < 40; ++i) {
    sizes.push_back(1 + i * i * 4001);  // together more than one slab
    pieces.push_back(huge_memory(sizes.back()));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(pieces.back().get()) % 64, 0u);
    EXPECT_EQ(pieces.back().get()[sizes.back() - 1], std::byte{0});
    std::memset(pieces.back().get(), static_cast<int>(i + 1), sizes.back());
  }
  pieces[3].reset();  // its neighbours stay
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i] == nullptr) continue;
    EXPECT_EQ(pieces[i].get()[0], static_cast<std::byte>(i + 1));
    EXPECT_EQ(pieces[i].get()[sizes[i] - 1], static_cast<std::byte>(i + 1));
  }
}

TEST(HugeMemory, RefusesWhatNoSystemHas) { EXPECT_THROW(huge_memory(size_t{1} << 60), std::bad_alloc); }

}  // namespace
}  // namespace vl3::ops
