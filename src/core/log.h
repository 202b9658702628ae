// The library's logger. It has no sink until a program gives it one (the library itself never prints).
#pragma once

#include <spdlog/spdlog.h>

namespace vl3 {

/// Shared, thread-safe. `logger().warn("…")` is what a library function says without failing.
spdlog::logger& logger();

}  // namespace vl3
