#include "text/white_space.h"

#include <utf8proc.h>

namespace vl3::text {
namespace {

// Bytes of the white space character that `text` begins with, 0 for anything else.
size_t leading_space(std::string_view text) {
  utf8proc_int32_t point = 0;
  const utf8proc_ssize_t bytes = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                                  static_cast<utf8proc_ssize_t>(text.size()), &point);
  return bytes > 0 && is_space(static_cast<char32_t>(point)) ? static_cast<size_t>(bytes) : 0;
}

size_t trailing_space(std::string_view text) {
  for (size_t bytes = 1; bytes <= 3 && bytes <= text.size(); ++bytes) {
    if (leading_space(text.substr(text.size() - bytes)) == bytes) return bytes;
  }
  return 0;
}

}  // namespace

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

std::string_view strip(std::string_view text) {
  while (const size_t bytes = leading_space(text)) text.remove_prefix(bytes);
  while (const size_t bytes = trailing_space(text)) text.remove_suffix(bytes);
  return text;
}

}  // namespace vl3::text
