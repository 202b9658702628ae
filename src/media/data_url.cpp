#include "media/data_url.h"

#include <openssl/evp.h>

#include <array>

#include "core/check.h"

namespace vl3::media {
namespace {

constexpr std::array<int8_t, 256> base64_values() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 26; ++i) {
    values['A' + i] = static_cast<int8_t>(i);
    values['a' + i] = static_cast<int8_t>(26 + i);
  }
  for (int i = 0; i < 10; ++i) values['0' + i] = static_cast<int8_t>(52 + i);
  values['+'] = values['-'] = 62;  // RFC 4648's URL alphabet is met in the wild, too
  values['/'] = values['_'] = 63;
  return values;
}

// Blanks and line ends are skipped; padding may be left out, but nothing may follow it.
std::string base64_decode(std::string_view text) {
  static constexpr std::array<int8_t, 256> kValues = base64_values();
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  size_t digits = 0;
  size_t padding = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int value = kValues[static_cast<unsigned char>(c)];
    VL3_CHECK(value >= 0 && padding == 0, kCorrupt, "data: URL: base64 is broken after {} characters",
              digits);
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++digits % 4 == 0) {
      out += static_cast<char>(bits >> 16);
      out += static_cast<char>(bits >> 8);
      out += static_cast<char>(bits);
    }
  }
  const size_t rest = digits % 4;
  VL3_CHECK(rest != 1 && padding <= 2 && (padding == 0 || rest + padding == 4), kCorrupt,
            "data: URL: base64 of {} characters is cut off; send it whole", digits);
  if (rest == 2) out += static_cast<char>(bits >> 4);
  if (rest == 3) {
    out += static_cast<char>(bits >> 10);
    out += static_cast<char>(bits >> 2);
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string percent_decode(std::string_view text, const std::string& what) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    VL3_CHECK(high >= 0 && low >= 0, kCorrupt, "{}: broken % escape at character {}", what, i);
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string decode_data_url(std::string_view url, uint64_t max_bytes) {
  const size_t comma = url.find(',');
  VL3_CHECK(url.starts_with("data:") && comma != std::string_view::npos, kInvalidArgument,
            "data: URL without a comma; the form is data:image/png;base64,…");
  const std::string_view head = url.substr(5, comma - 5);
  const std::string_view content = url.substr(comma + 1);
  const bool base64 = head.ends_with(";base64");
  const uint64_t expected =
      base64 ? content.size() / 4 * 3 : content.size() / 3;  // at least this many come out
  VL3_CHECK(expected <= max_bytes, kResourceExhausted, "data: URL of {} bytes or more, the limit is {}",
            expected, max_bytes);
  std::string unescaped;
  if (content.find('%') != std::string_view::npos || !base64)
    unescaped = percent_decode(content, "data: URL");
  std::string out =
      base64 ? base64_decode(unescaped.empty() ? content : std::string_view(unescaped)) : unescaped;
  VL3_CHECK(out.size() <= max_bytes, kResourceExhausted, "data: URL of {} bytes, the limit is {}", out.size(),
            max_bytes);
  return out;
}

std::string encode_data_url(std::string_view type, std::string_view bytes) {
  VL3_CHECK(bytes.size() < (1u << 30), kResourceExhausted, "a medium of {} bytes is too long for a data URL",
            bytes.size());
  std::string base64(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // with the NUL
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  base64.resize(static_cast<size_t>(size));
  return fmt::format("data:{};base64,{}", type, base64);
}

}  // namespace vl3::media
