// Text from outside (file names, JSON, URLs) made safe to show.
#pragma once

#include <string>
#include <string_view>

namespace vl3 {

/// The text on one line, valid UTF-8 and free of terminal escapes: line feeds and tabs become blanks, other
/// control characters (C0, DEL, C1) and bytes that are no UTF-8 become \xNN. Error's messages go through it.
std::string printable(std::string_view text);

}  // namespace vl3
