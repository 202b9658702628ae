#include "core/freed_memory.h"

#include <malloc.h>

#include <cstddef>
#include <cstdint>

// Of jemalloc, where the program has it: the library doesn't choose.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value, size_t new_size)
    __attribute__((weak));

namespace vl3 {
namespace {

constexpr size_t kWorth = size_t{16} << 20;

// Bytes of pages that are free and still there, in all arenas (4096 stands for them).
size_t freed_bytes() {
  uint64_t epoch = 1;  // statistics are of the last time that it was set
  size_t size = sizeof(epoch);
  mallctl("epoch", &epoch, &size, &epoch, size);
  size_t pages = 0, page = 0;
  size = sizeof(pages);
  if (mallctl("stats.arenas.4096.pdirty", &pages, &size, nullptr, 0) != 0)
    return kWorth;  // without statistics
  mallctl("arenas.page", &page, &size, nullptr, 0);
  return pages * page;
}

}  // namespace

void return_freed_memory() {
  if (mallctl == nullptr) {
    malloc_trim(0);
  } else if (freed_bytes() >= kWorth) {
    mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
  }
}

}  // namespace vl3
