// Levenshtein's distance, by code point. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace vl3::eval {

/// Insertions, deletions and replacements that turn one text into the other.
/// @throws Error(kResourceExhausted) where the table would pass 10^8 entries.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace vl3::eval
