// What the operating system says of this process.
#pragma once

#include <cstdint>

namespace vl3 {

/// The most memory this process has held so far, in bytes (resident set).
uint64_t peak_rss_bytes();
/// What it holds now, in bytes (resident set).
uint64_t resident_bytes();

/// Lets the allocator keep what is freed, up to 1 GiB, for the next request. Activations of 10 MB and more
/// would else go back to the system and come again page by page: 8 % of an encoder's time. For programs, not
/// for the library: the allocator belongs to the whole process.
void keep_freed_memory();

}  // namespace vl3
