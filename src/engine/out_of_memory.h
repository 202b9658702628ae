// libtorch says in its own words that memory ran out; callers get the library's error for a passed limit.
#pragma once

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

#include "core/check.h"

namespace vl3::engine {

/// Whether this is what libtorch's allocators throw when memory runs out, on the CPU or on a device.
inline bool says_out_of_memory(const c10::Error& error) {
  // The CPU's allocator has no exception class of its own.
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         std::string_view(error.what_without_backtrace()).find("can't allocate memory") !=
             std::string_view::npos;
}

/// Runs `work`. @throws Error(kResourceExhausted) in place of bad_alloc and of libtorch's words for it.
template <typename Work>
auto naming_out_of_memory(const Work& work) {
  constexpr const char* kMessage =
      "out of memory; use --max-ram, fewer frames (--max-frames) or fewer visual tokens "
      "(--max-visual-tokens)";
  try {
    return work();
  } catch (const std::bad_alloc&) {
    VL3_FAIL(kResourceExhausted, "{}", kMessage);
  } catch (const c10::Error& error) {
    if (!says_out_of_memory(error)) throw;
    VL3_FAIL(kResourceExhausted, "{}", kMessage);
  }
}

}  // namespace vl3::engine
