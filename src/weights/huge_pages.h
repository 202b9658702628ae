// Huge pages under mapped weights: decoding reads all of them for each token, and with pages of 4 KiB from a
// file the table walks cost a fifth of the speed (docs/performance.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace vl3::weights {

/// The whole 2 MiB pages inside these bytes, cut into pieces of at most 32 MiB.
std::vector<std::span<const std::byte>> huge_page_pieces(std::span<const std::byte> mapped);

/// Puts anonymous huge pages with the same bytes in the place of a piece of a private read-only map. Readers
/// may go on meanwhile; the process holds no more than before plus the piece. The bytes no longer come back
/// from the file: never advise_dont_need() them afterwards.
/// @param piece  of huge_page_pieces().
/// @return false where the system gives no such memory: the piece stays as it was.
bool move_to_huge_pages(std::span<const std::byte> piece);

/// Memory that the system could give to this process now without writing anything out, in bytes.
uint64_t available_memory_bytes();

}  // namespace vl3::weights
