// What the operating system says of this process.
#pragma once

#include <cstdint>

namespace vl3 {

/// The most memory this process has held so far, in bytes (resident set).
uint64_t peak_rss_bytes();
/// Seconds since it was started, to a hundredth.
double process_age_seconds();
/// What it holds now, in bytes (resident set).
uint64_t resident_bytes();

}  // namespace vl3
