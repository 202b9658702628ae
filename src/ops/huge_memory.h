// Memory for packed weights in transparent huge pages: decoding reads all of it for each token, and with
// pages of 4 KiB much of that time goes into walking tables.
#pragma once

#include <cstddef>
#include <memory>

namespace vl3::ops {

/// 64-byte aligned zeros. Small pieces share pages, which go back to the system with the last of them; only
/// what is written takes memory. Where the system gives no huge pages they are ordinary ones. Thread-safe.
/// @throws std::bad_alloc
std::shared_ptr<std::byte> huge_memory(size_t bytes);

}  // namespace vl3::ops
