#include "text/pretokenize.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "core/check.h"

namespace vl3::text {
namespace {

int combining_class(utf8proc_int32_t code) { return utf8proc_get_property(code)->combining_class; }

// PCRE2's \s has U+180E, which is no white space since Unicode 6.3 and not in the reference's engine.
std::string pcre2_pattern() {
  const std::string spaces =
      R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  std::string pattern;
  bool in_class = false;
  for (size_t i = 0; i < kQwen2Pattern.size(); ++i) {
    const std::string_view two = kQwen2Pattern.substr(i, 2);
    if (two == "\\s") {
      pattern += in_class ? spaces : "[" + spaces + "]";
      ++i;
    } else if (two == "\\S") {
      pattern += "[^" + spaces + "]";
      ++i;
    } else {
      in_class = kQwen2Pattern[i] == '[' || (in_class && kQwen2Pattern[i] != ']');
      pattern += kQwen2Pattern[i];
    }
  }
  return pattern;
}

}  // namespace

std::string to_nfc(std::string_view utf8) {
  // Below U+0300, whose UTF-8 begins with CC, nothing composes or decomposes.
  const bool may_change =
      std::any_of(utf8.begin(), utf8.end(), [](char c) { return static_cast<uint8_t>(c) >= 0xCC; });
  if (!may_change) return std::string(utf8);

  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(utf8.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(utf8.data());
  for (size_t at = 0; at < utf8.size();) {
    utf8proc_int32_t code = -1;
    const utf8proc_ssize_t length =
        utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(utf8.size() - at), &code);
    VL3_DCHECK(length > 0);
    at += static_cast<size_t>(length);
    std::array<utf8proc_int32_t, 16> parts{};
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(code, parts.data(), parts.size(), kOptions, &boundary);
    VL3_DCHECK(count >= 0 && count <= static_cast<utf8proc_ssize_t>(parts.size()));
    codes.insert(codes.end(), parts.begin(), parts.begin() + count);
  }
  // Canonical order. utf8proc's own (in utf8proc_decompose) is an insertion sort: quadratic on hostile text.
  for (auto at = codes.begin(); at != codes.end();) {
    const auto mark = [](utf8proc_int32_t code) { return combining_class(code) != 0; };
    const auto begin = std::find_if(at, codes.end(), mark);
    at = std::find_if_not(begin, codes.end(), mark);
    if (at - begin > 1) {
      std::stable_sort(begin, at, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    }
  }
  const utf8proc_ssize_t composed =
      utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()), kOptions);
  VL3_DCHECK(composed >= 0);
  std::string out;
  out.reserve(utf8.size());
  for (utf8proc_ssize_t i = 0; i < composed; ++i) {
    std::array<utf8proc_uint8_t, 4> buffer{};
    const utf8proc_ssize_t length = utf8proc_encode_char(codes[static_cast<size_t>(i)], buffer.data());
    out.append(reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(length));
  }
  return out;
}

PreTokenizer::PreTokenizer() {
  const std::string pattern = pcre2_pattern();
  int error = 0;
  PCRE2_SIZE where = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &where, nullptr);
  VL3_CHECK(code != nullptr, kInternal, "the tokenizer's pattern does not compile: PCRE2 error {} at {}",
            error, where);
  code_ = std::shared_ptr<void>(code, [](void* p) { pcre2_code_free(static_cast<pcre2_code*>(p)); });
  // Without JIT (hardened kernels) matching falls back to PCRE2's interpreter: slower, same result.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

std::vector<std::string_view> PreTokenizer::split(std::string_view utf8) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  VL3_CHECK(match != nullptr, kResourceExhausted, "out of memory while splitting text into words");
  std::vector<std::string_view> words;
  for (size_t at = 0; at < utf8.size();) {
    const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(utf8.data()), utf8.size(), at,
                                  PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    VL3_CHECK(found >= 0, kInternal, "splitting text into words failed at byte {}: PCRE2 error {}", at,
              found);
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    VL3_DCHECK(range[0] == at && range[1] > at);  // some branch of the pattern takes every character
    words.push_back(utf8.substr(at, range[1] - at));
    at = range[1];
  }
  return words;
}

}  // namespace vl3::text
