#include "eval/text/python_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/check.h"
#include "text/utf8.h"
#include "text/white_space.h"

namespace vl3::eval {
namespace {

constexpr size_t kLongestNumber = 4096;

/// Underscores may stand between digits only; what is left has none. nullopt otherwise.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return plain;
}

bool is_decimal(std::string_view text) {  // [digits][.digits][e[+-]digits], at least one digit
  size_t at = 0, digits = 0;
  const auto run = [&] {
    const size_t first = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - first;
  };
  digits += run();
  if (at < text.size() && text[at] == '.') {
    ++at;
    digits += run();
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (run() == 0) return false;
  }
  return at == text.size();
}

template <typename Map>
std::string mapped(std::string_view text, Map map) {
  std::u32string points = code_points(text);
  for (char32_t& c : points) c = static_cast<char32_t>(map(static_cast<utf8proc_int32_t>(c)));
  return to_utf8(points);
}

bool in(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

}  // namespace

std::u32string code_points(std::string_view text) {
  std::string valid;
  vl3::text::append_utf8_lossy(text, true, &valid);
  std::u32string points;
  points.reserve(valid.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(valid.data());
  for (size_t at = 0; at < valid.size();) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t used =
        utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(valid.size() - at), &point);
    VL3_DCHECK(used > 0);
    points += static_cast<char32_t>(point);
    at += static_cast<size_t>(used);
  }
  return points;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) {
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  return out;
}

std::string lower(std::string_view text) { return mapped(text, utf8proc_tolower); }
std::string upper(std::string_view text) { return mapped(text, utf8proc_toupper); }

bool is_word(char32_t c) {
  if (c == '_') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

std::string strip(std::string_view text) { return std::string(vl3::text::strip(to_utf8(code_points(text)))); }

std::string lstrip(std::string_view text, std::string_view ascii) {
  while (!text.empty() && in(text.front(), ascii)) text.remove_prefix(1);
  return std::string(text);
}

std::string rstrip(std::string_view text, std::string_view ascii) {
  while (!text.empty() && in(text.back(), ascii)) text.remove_suffix(1);
  return std::string(text);
}

std::string strip(std::string_view text, std::string_view ascii) {
  return rstrip(lstrip(text, ascii), ascii);
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::u32string word;
  for (const char32_t c : code_points(text)) {
    if (!vl3::text::is_space(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(to_utf8(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(to_utf8(word));
  return words;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (;;) {
    const size_t at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

size_t length(std::string_view text) { return code_points(text).size(); }

std::optional<double> to_float(std::string_view text) {
  const std::string stripped = strip(text);
  if (stripped.size() > kLongestNumber) return std::nullopt;
  std::string_view body = stripped;
  const bool negative = !body.empty() && body.front() == '-';
  if (!body.empty() && (body.front() == '-' || body.front() == '+')) body.remove_prefix(1);
  const std::string word = lower(body);
  const double sign = negative ? -1.0 : 1.0;
  if (word == "inf" || word == "infinity") return sign * HUGE_VAL;
  if (word == "nan") return NAN;
  const auto plain = without_underscores(body);
  if (!plain || !is_decimal(*plain)) return std::nullopt;
  return sign * std::strtod(plain->c_str(), nullptr);
}

std::optional<std::string> to_int(std::string_view text) {
  const std::string stripped = strip(text);
  if (stripped.size() > kLongestNumber) return std::nullopt;
  std::string_view body = stripped;
  const bool negative = !body.empty() && body.front() == '-';
  if (!body.empty() && (body.front() == '-' || body.front() == '+')) body.remove_prefix(1);
  auto plain = without_underscores(body);
  if (!plain || plain->empty() || !std::all_of(plain->begin(), plain->end(), is_digit)) return std::nullopt;
  plain->erase(0, std::min(plain->find_first_not_of('0'), plain->size() - 1));
  return negative && *plain != "0" ? "-" + *plain : *plain;
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const double size = std::abs(value);
  const bool plain = value == 0 || (size >= 1e-4 && size < 1e16);
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value,
                                          plain ? std::chars_format::fixed : std::chars_format::scientific);
  VL3_DCHECK(error == std::errc());
  std::string text(buffer, end);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

double round_to(double value, int digits) {
  if (!std::isfinite(value)) return value;
  VL3_DCHECK(digits >= 0 && digits <= 17);
  // glibc prints the exact binary value correctly rounded, halves to even, as Python's round() does.
  return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
}

namespace {

/// Reader of a list literal.
class ListReader {
 public:
  ListReader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  std::vector<std::string> read() {
    std::vector<std::string> values;
    expect('[');
    skip();
    while (peek() != ']') {
      values.push_back(peek() == '\'' || peek() == '"' ? quoted() : bare());
      skip();
      if (peek() == ',') {
        ++at_;
        skip();
      } else if (peek() != ']') {
        fail();
      }
    }
    ++at_;
    skip();
    if (at_ != text_.size()) fail();
    return values;
  }

 private:
  [[noreturn]] void fail() const {
    VL3_FAIL(kCorrupt, "{}: \"{}\" is no Python list of texts (at character {})", where_,
             text_.substr(0, 200), at_);
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip() {
    while (at_ < text_.size() && in(text_[at_], " \t\r\n")) ++at_;
  }
  void expect(char c) {
    skip();
    if (peek() != c) fail();
    ++at_;
  }
  std::string bare() {
    const size_t first = at_;
    while (at_ < text_.size() && !in(text_[at_], ",] \t\r\n'\"[")) ++at_;
    const std::string_view word = text_.substr(first, at_ - first);
    if (word.empty() || (word != "None" && word != "True" && word != "False" && !to_float(word))) fail();
    return std::string(word);
  }
  std::string quoted() {
    const char quote = text_[at_++];
    std::string value;
    while (peek() != quote) {
      if (at_ >= text_.size() || text_[at_] == '\n') fail();
      if (text_[at_] != '\\')
        value += text_[at_++];
      else
        escape(value);
    }
    ++at_;
    return value;
  }
  void escape(std::string& value) {
    constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
    ++at_;
    const char c = peek();
    const size_t known = kFrom.find(c);
    if (known != std::string_view::npos && c != '\0') {
      value += kTo[known];
      ++at_;
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      const std::string hex(text_.substr(std::min(at_ + 1, text_.size()), digits));
      uint32_t point = 0;
      const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), point, 16);
      if (hex.size() != digits || error != std::errc() || end != hex.data() + digits ||
          !utf8proc_codepoint_valid(static_cast<utf8proc_int32_t>(point)))
        fail();
      value += to_utf8(std::u32string(1, static_cast<char32_t>(point)));
      at_ += 1 + digits;
    } else {
      value += '\\';  // an unknown escape stays as it is
    }
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
};

}  // namespace

std::vector<std::string> python_list(std::string_view literal, const std::string& where) {
  return ListReader(literal, where).read();
}

}  // namespace vl3::eval
