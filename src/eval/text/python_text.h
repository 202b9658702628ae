// What Python's str, float and int do to text, for rules that the official evaluation code states in them:
// by code point, Unicode white space and letters, correctly rounded decimals. Pure functions; input is UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vl3::eval {

/// Code points; bytes that are no UTF-8 become U+FFFD.
std::u32string code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);

std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string strip(std::string_view text);                           ///< str.strip()
std::string strip(std::string_view text, std::string_view ascii);   ///< str.strip(chars), ASCII chars
std::string rstrip(std::string_view text, std::string_view ascii);  ///< str.rstrip(chars)
std::string lstrip(std::string_view text, std::string_view ascii);  ///< str.lstrip(chars)
std::vector<std::string> split_words(std::string_view text);        ///< str.split()
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);
std::vector<std::string> split(std::string_view text, std::string_view separator);  ///< str.split(separator)
bool contains(std::string_view text, std::string_view part);   ///< part in text; "" is in every text
size_t length(std::string_view text);                          ///< len()
bool is_word(char32_t c);                                      ///< \w of re: letter, digit or underscore
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }  ///< [0-9], not Python's isdigit()

/// float(text): outer white space, exponent, inf, nan; underscores between digits. nullopt: ValueError.
std::optional<double> to_float(std::string_view text);
/// int(text): digits with an optional sign, as its canonical digits (any length). nullopt: ValueError.
std::optional<std::string> to_int(std::string_view text);
/// repr(value) of a float: the shortest text that reads back, "1e+16" style exponents as Python has them.
std::string float_repr(double value);
/// round(value, digits) for 0 <= digits <= 17, correctly rounded.
double round_to(double value, int digits);

/// The strings of a Python list literal such as "['a', \"b's\", 3]"; numbers as they are written.
/// @throws Error(kCorrupt) naming `where` for anything else.
std::vector<std::string> python_list(std::string_view literal, const std::string& where);

}  // namespace vl3::eval
