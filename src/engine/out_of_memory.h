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

/// What to do about it where a question is answered. Options, not flags: not every command has them.
inline constexpr const char* kAskForLess =
    "use fewer frames (max_frames) or fewer visual tokens (max_visual_tokens)";
/// The same where a model is loaded.
inline constexpr const char* kLoadLess = "use a smaller model, or bfloat16 weights (dtype)";

/// Runs `work`. @param remedy  what the caller can do, by flags that its command has.
/// @throws Error(kResourceExhausted) in place of bad_alloc and of libtorch's words for it.
template <typename Work>
auto naming_out_of_memory(const Work& work, const char* remedy = kAskForLess) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    VL3_FAIL(kResourceExhausted, "out of memory; {}", remedy);
  } catch (const c10::Error& error) {
    if (!says_out_of_memory(error)) throw;
    VL3_FAIL(kResourceExhausted, "out of memory; {}", remedy);
  }
}

}  // namespace vl3::engine
