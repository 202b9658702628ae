#include "weights/huge_pages.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::weights {
namespace {

constexpr uint64_t kMiB = 1 << 20;

std::byte byte_at(uint64_t i) { return static_cast<std::byte>(i * 2654435761u >> 13); }

class HugePages : public testing::Test {
 protected:
  void write(uint64_t size) {
    AtomicFile file(path_);
    std::vector<std::byte> bytes(size);
    for (uint64_t i = 0; i < size; ++i) bytes[i] = byte_at(i);
    file.append(bytes.data(), bytes.size());
    file.commit();
  }
  test::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "weights";
};

TEST_F(HugePages, PiecesAreWholePagesInsideTheBytes) {
  write(75 * kMiB);
  const MappedFile map(path_);
  const std::span<const std::byte> bytes(map.data() + 5000, map.size() - 9000);
  const auto pieces = huge_page_pieces(bytes);
  ASSERT_FALSE(pieces.empty());
  uint64_t total = 0;
  for (const auto& piece : pieces) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece.data()) % (2 * kMiB), 0u);
    EXPECT_EQ(piece.size() % (2 * kMiB), 0u);
    EXPECT_LE(piece.size(), 32 * kMiB);
    EXPECT_GE(piece.data(), bytes.data());
    EXPECT_LE(piece.data() + piece.size(), bytes.data() + bytes.size());
    total += piece.size();
  }
  EXPECT_GE(total, 70 * kMiB);
  EXPECT_TRUE(huge_page_pieces(bytes.first(1000)).empty());
}

TEST_F(HugePages, TheBytesStayTheSameWhileOthersReadThem) {
  write(40 * kMiB);
  {
    const MappedFile map(path_);
    std::atomic<bool> stop = false;
    std::atomic<uint64_t> wrong = 0;
    std::thread reader([&] {
      for (uint64_t i = 1; !stop; i = i * 48271 % 2147483647) {
        if (map.data()[i % map.size()] != byte_at(i % map.size())) ++wrong;
      }
    });
    for (const auto& piece : huge_page_pieces({map.data(), map.size()})) {
      // Without huge pages on this machine nothing moves, and nothing else may change.
      (void)move_to_huge_pages(piece);
    }
    stop = true;
    reader.join();
    EXPECT_EQ(wrong, 0u);
    for (uint64_t i = 0; i < map.size(); ++i) wrong += map.data()[i] != byte_at(i);
    EXPECT_EQ(wrong, 0u);
  }
  // The map is gone whole: the file can be mapped again and reads the same.
  const MappedFile again(path_);
  EXPECT_EQ(again.data()[12345], byte_at(12345));
}

TEST_F(HugePages, TheSystemSaysHowMuchMemoryItHas) { EXPECT_GT(available_memory_bytes(), kMiB); }

}  // namespace
}  // namespace vl3::weights
