#include "ops/huge_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <mutex>
#include <new>

namespace vl3::ops {
namespace {

constexpr size_t kHuge = 2u << 20;
constexpr size_t kSlab = 32 * kHuge;

class Slab {
 public:
  explicit Slab(size_t bytes) : reserved_(bytes + kHuge) {
    whole_ = ::mmap(nullptr, reserved_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    if (whole_ == MAP_FAILED) throw std::bad_alloc();
    const size_t past = reinterpret_cast<uintptr_t>(whole_) % kHuge;
    next_ = static_cast<std::byte*>(whole_) + (past == 0 ? 0 : kHuge - past);
    end_ = next_ + bytes;
    ::madvise(next_, bytes, MADV_HUGEPAGE);  // a wish: the memory is as good without
  }
  ~Slab() { ::munmap(whole_, reserved_); }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  /// @return nullptr where fewer bytes are left.
  std::byte* take(size_t bytes) {
    if (static_cast<size_t>(end_ - next_) < bytes) return nullptr;
    std::byte* const piece = next_;
    next_ += bytes;
    return piece;
  }

 private:
  size_t reserved_;
  void* whole_;
  std::byte *next_, *end_;
};

}  // namespace

std::shared_ptr<std::byte> huge_memory(size_t bytes) {
  static std::mutex mutex;
  static std::weak_ptr<Slab> open;  // small pieces come from here
  bytes = (bytes + 63) / 64 * 64;
  if (bytes > kSlab / 4) {
    const auto own = std::make_shared<Slab>((bytes + kHuge - 1) / kHuge * kHuge);
    return {own, own->take(bytes)};
  }
  const std::lock_guard lock(mutex);
  std::shared_ptr<Slab> slab = open.lock();
  std::byte* piece = slab == nullptr ? nullptr : slab->take(bytes);
  if (piece == nullptr) {
    slab = std::make_shared<Slab>(kSlab);
    open = slab;
    piece = slab->take(bytes);
  }
  return {slab, piece};
}

}  // namespace vl3::ops
