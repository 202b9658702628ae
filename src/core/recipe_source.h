// A recipe's TOML with the command line's `--set KEY=VALUE` laid over it, before any key is looked at. Pure
// functions. Brings in toml++: for the .cpp files that read recipes.
#pragma once

#include <toml++/toml.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/recipe_rules.h"

namespace vl3::recipe {

/// Values of --set by their key, as typed.
using SetTexts = std::map<std::string, std::string>;

struct Source {
  toml::table root;
  std::string where;  ///< what errors call the file
  SetTexts set;
};

/// @param set  "key=value" each, applied in order. The value is TOML; text that is no TOML value is taken as
/// a string.
///   The index one past a list's last makes an entry.
/// @throws Error(kInvalidArgument) "FILE:LINE: …" for malformed TOML; naming the --set for one that fits
/// nothing.
Source parse_source(std::string_view text, const std::string& where, const std::vector<std::string>& set);

/// A value inside an error message, at most 80 characters.
std::string shown(const toml::node& node);

}  // namespace vl3::recipe
