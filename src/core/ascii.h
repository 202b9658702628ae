// Letters of ASCII, whatever the locale says.
#pragma once

#include <algorithm>
#include <string>

namespace vl3 {

/// A to Z in lower case; every other byte stays.
inline std::string ascii_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

}  // namespace vl3
