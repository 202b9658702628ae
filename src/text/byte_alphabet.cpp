#include "text/byte_alphabet.h"

#include <array>
#include <cstdint>

namespace vl3::text {
namespace {

constexpr int kAlphabetEnd = 0x144;  // one past the last code point used

// GPT-2's rule: the printable bytes stand for themselves, the others follow from U+0100 in order.
struct Alphabet {
  std::array<uint16_t, 256> character{};
  std::array<int16_t, kAlphabetEnd> byte{};

  constexpr Alphabet() {
    for (auto& b : byte) b = -1;
    int next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      character[static_cast<size_t>(b)] = static_cast<uint16_t>(printable ? b : next++);
      byte[character[static_cast<size_t>(b)]] = static_cast<int16_t>(b);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

std::optional<std::string> from_byte_alphabet(std::string_view spelled) {
  std::string bytes;
  bytes.reserve(spelled.size());
  for (size_t i = 0; i < spelled.size(); ++i) {
    int code = static_cast<uint8_t>(spelled[i]);
    if (code >= 0x80) {  // the alphabet needs two-byte characters at most
      if ((code & 0xE0) != 0xC0 || i + 1 == spelled.size()) return std::nullopt;
      code = (code & 0x1F) << 6 | (static_cast<uint8_t>(spelled[++i]) & 0x3F);
    }
    if (code >= kAlphabetEnd || kAlphabet.byte[static_cast<size_t>(code)] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.byte[static_cast<size_t>(code)]);
  }
  return bytes;
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string spelled;
  for (const char c : bytes) {
    const int code = kAlphabet.character[static_cast<uint8_t>(c)];
    if (code < 0x80) {
      spelled += static_cast<char>(code);
    } else {
      spelled += static_cast<char>(0xC0 | code >> 6);
      spelled += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return spelled;
}

}  // namespace vl3::text
