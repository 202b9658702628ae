// White space as Python's str methods know it. Pure functions.
#pragma once

#include <string_view>

namespace vl3::text {

/// str.isspace() of one code point.
bool is_space(char32_t c);

/// str.strip(): Unicode white space off both ends of UTF-8 text. Bytes that are no UTF-8 are no white space.
std::string_view strip(std::string_view text);

}  // namespace vl3::text
