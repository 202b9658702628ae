// The printable alphabet in which byte-level BPE files spell bytes: 256 characters, U+0021 … U+0143.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vl3::text {

/// "Ġthe" → " the". nullopt when a character is outside the alphabet (then it is no byte-level token).
std::optional<std::string> from_byte_alphabet(std::string_view spelled);

/// " the" → "Ġthe"; the inverse.
std::string to_byte_alphabet(std::string_view bytes);

}  // namespace vl3::text
