#include "curate/text_measures.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>
#include <vector>

#include "text/white_space.h"

namespace vl3::curate {
namespace {

// Calls `take(code point)` for each; ill-formed bytes are U+FFFD.
template <typename Take>
void each_point(std::string_view text, const Take& take) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t i = 0; i < text.size();) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t used =
        utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &point);
    take(used > 0 ? point : 0xfffd);
    i += used > 0 ? static_cast<size_t>(used) : 1;
  }
}

bool is_symbol(utf8proc_int32_t point) {
  switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
      return true;
    default:
      return false;
  }
}

bool is_control(utf8proc_int32_t point) {
  if (point == '\n' || point == '\t') return false;
  if (point == 0xfffd) return true;
  if (point == 0x200c || point == 0x200d) return false;  // joiners: part of words and of emoji
  const utf8proc_category_t category = utf8proc_category(point);
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CS;
}

// Thai to Myanmar, Khmer, kana, Han: no space says where a word ends.
bool is_unspaced(utf8proc_int32_t point) {
  return (point >= 0x0e00 && point < 0x0f00) || (point >= 0x1000 && point < 0x10a0) ||
         (point >= 0x1780 && point < 0x1800) || (point >= 0x3040 && point < 0xa000) ||
         (point >= 0xf900 && point < 0xfb00) || (point >= 0x20000 && point < 0x40000);
}

bool is_word(utf8proc_int32_t point) {
  if (point < 0 || is_unspaced(point)) return false;
  const utf8proc_category_t category = utf8proc_category(point);
  return point == '_' || (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO);
}

// The code point that begins at, or ends before, `at`; -1 at the text's ends.
utf8proc_int32_t point_at(std::string_view text, size_t at) {
  utf8proc_int32_t point = -1;
  if (at >= text.size()) return point;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                   static_cast<utf8proc_ssize_t>(text.size() - at), &point);
  return point;
}

utf8proc_int32_t point_before(std::string_view text, size_t at) {
  if (at == 0) return -1;
  --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return point_at(text, at);
}

// Whether a word goes on across `at`.
bool cuts_word(std::string_view text, size_t at) {
  return is_word(point_before(text, at)) && is_word(point_at(text, at));
}

void append_point(utf8proc_int32_t point, std::string* out) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t size = utf8proc_encode_char(point, bytes);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

double repetition(const std::vector<std::string>& words) {
  if (words.size() < 8) return 0;
  std::map<std::pair<std::string, std::string>, int64_t> pairs;
  int64_t most = 0;
  for (size_t i = 1; i < words.size(); ++i) most = std::max(most, ++pairs[{words[i - 1], words[i]}]);
  return most < 2 ? 0 : std::min(1.0, 2.0 * static_cast<double>(most) / static_cast<double>(words.size()));
}

}  // namespace

TextMeasures measure_text(std::string_view caption) {
  const std::string_view text = text::strip(caption);
  TextMeasures measures;
  int64_t symbols = 0;
  std::vector<std::string> words(1);
  each_point(text, [&](utf8proc_int32_t point) {
    ++measures.chars;
    symbols += is_symbol(point) ? 1 : 0;
    measures.controls += is_control(point) ? 1 : 0;
    if (text::is_space(static_cast<char32_t>(point))) {
      if (!words.back().empty()) words.emplace_back();
    } else {
      append_point(utf8proc_tolower(point), &words.back());
    }
  });
  if (words.back().empty()) words.pop_back();
  measures.words = static_cast<int64_t>(words.size());
  measures.repetition = repetition(words);
  if (measures.chars > 0)
    measures.symbol_share = static_cast<double>(symbols) / static_cast<double>(measures.chars);
  for (const char* tag : {"<image>", "<video>", "<|"}) {
    if (text.find(tag) != std::string_view::npos) measures.has_media_tag = true;
  }
  return measures;
}

bool is_clean(const TextMeasures& measures) { return measures.controls == 0 && !measures.has_media_tag; }

size_t find_words(std::string_view text, std::string_view phrase, size_t from) {
  if (phrase.empty()) return std::string_view::npos;
  size_t at = text.find(phrase, from);
  while (at != std::string_view::npos && (cuts_word(text, at) || cuts_word(text, at + phrase.size())))
    at = text.find(phrase, at + 1);
  return at;
}

std::string caption_template(std::string_view caption) {
  std::string out;
  each_point(text::strip(caption), [&out](utf8proc_int32_t point) {
    const utf8proc_category_t category = utf8proc_category(point);
    const bool number = category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL;
    if (number) {
      if (out.empty() || out.back() != '#') out += '#';
    } else if (text::is_space(static_cast<char32_t>(point))) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      append_point(utf8proc_tolower(point), &out);
    }
  });
  return out;
}

}  // namespace vl3::curate
