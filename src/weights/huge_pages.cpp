#include "weights/huge_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

namespace vl3::weights {
namespace {

constexpr uintptr_t kHuge = 2u << 20;
constexpr uintptr_t kPiece = 16 * kHuge;

}  // namespace

std::vector<std::span<const std::byte>> huge_page_pieces(std::span<const std::byte> mapped) {
  const auto first = reinterpret_cast<uintptr_t>(mapped.data());
  const uintptr_t begin = (first + kHuge - 1) / kHuge * kHuge, end = (first + mapped.size()) / kHuge * kHuge;
  std::vector<std::span<const std::byte>> pieces;
  for (uintptr_t at = begin; at < end; at += kPiece) {
    pieces.emplace_back(mapped.data() + (at - first), std::min(kPiece, end - at));
  }
  return pieces;
}

bool move_to_huge_pages(std::span<const std::byte> piece) {
  // Aligned as the target is, or the kernel would split the huge pages when it moves them.
  const size_t reserved = piece.size() + kHuge;
  void* const whole =
      ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole == MAP_FAILED) return false;
  const auto base = reinterpret_cast<uintptr_t>(whole);
  const uintptr_t at = (base + kHuge - 1) / kHuge * kHuge;
  void* const copy = reinterpret_cast<void*>(at);
  const auto release = [](uintptr_t from, uintptr_t to) {
    if (from < to) ::munmap(reinterpret_cast<void*>(from), to - from);
  };
  release(base, at);
  release(at + piece.size(), base + reserved);
  if (::madvise(copy, piece.size(), MADV_HUGEPAGE) != 0) {
    release(at, at + piece.size());
    return false;
  }
  std::memcpy(copy, piece.data(), piece.size());
  void* const target = const_cast<std::byte*>(piece.data());
  if (::mprotect(copy, piece.size(), PROT_READ) != 0 ||
      ::mremap(copy, piece.size(), piece.size(), MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED) {
    release(at, at + piece.size());
    return false;
  }
  return true;
}

uint64_t available_memory_bytes() {
  std::ifstream info("/proc/meminfo");
  std::string key, unit;
  uint64_t kib = 0;
  while (info >> key >> kib && std::getline(info, unit)) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return 0;
}

}  // namespace vl3::weights
