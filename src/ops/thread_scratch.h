// A buffer a thread keeps for its kernels' packed operands: allocating them anew costs page faults at every
// call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace vl3::ops {

/// At least `count` elements, 64-byte aligned, of this thread; valid until its next call. Contents are
/// undefined.
inline uint32_t* thread_scratch(int64_t count) {
  struct Free {
    void operator()(uint32_t* memory) const { std::free(memory); }
  };
  thread_local std::unique_ptr<uint32_t, Free> memory;
  thread_local int64_t size = 0;
  if (count > size) {
    memory.reset();
    size = (count + 4095) / 4096 * 4096;
    memory.reset(
        static_cast<uint32_t*>(std::aligned_alloc(64, static_cast<size_t>(size) * sizeof(uint32_t))));
    if (memory == nullptr) {
      size = 0;
      throw std::bad_alloc();
    }
  }
  return memory.get();
}

}  // namespace vl3::ops
