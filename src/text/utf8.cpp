#include "text/utf8.h"

#include <cstdint>

namespace vl3::text {
namespace {

enum class Kind { kWhole, kBroken, kUnfinished };

struct Character {
  Kind kind;
  size_t length;  // of the character, or of the maximal ill-formed (or unfinished) part
};

// Reads the character at bytes[0]; bytes is not empty. The first continuation byte has a narrower range after
// E0 (overlong), ED (surrogates), F0 (overlong) and F4 (past U+10FFFF).
Character read_character(std::string_view bytes) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) return {Kind::kWhole, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Kind::kBroken, 1};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {Kind::kUnfinished, i};
    const auto byte = static_cast<uint8_t>(bytes[i]);
    if (byte < low || byte > high) return {Kind::kBroken, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Kind::kWhole, length};
}

}  // namespace

size_t find_invalid_utf8(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const Character character = read_character(bytes.substr(at));
    if (character.kind != Kind::kWhole) return at;
    at += character.length;
  }
  return std::string_view::npos;
}

size_t append_utf8_lossy(std::string_view bytes, bool last, std::string* out) {
  size_t at = 0;
  while (at < bytes.size()) {
    const Character character = read_character(bytes.substr(at));
    if (character.kind == Kind::kUnfinished && !last) break;
    if (character.kind == Kind::kWhole) {
      out->append(bytes, at, character.length);
    } else {
      out->append("\xEF\xBF\xBD");
    }
    at += character.length;
  }
  return at;
}

}  // namespace vl3::text
