// UTF-8 well-formedness and the replacement of what is not, as Unicode's table 3-7 has it. Stateless.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vl3::text {

/// Offset of the first byte that does not belong to a well-formed character; npos when all do.
size_t find_invalid_utf8(std::string_view bytes);

/// Appends `bytes` to `out`, each maximal ill-formed part as one U+FFFD: what Python's
/// bytes.decode("utf-8", errors="replace") and Rust's from_utf8_lossy give.
/// @param last  false: an unfinished character at the end is left alone, for more bytes may complete it.
/// @return bytes consumed; all of them when `last`, else all but the unfinished tail (at most 3 bytes).
size_t append_utf8_lossy(std::string_view bytes, bool last, std::string* out);

}  // namespace vl3::text
