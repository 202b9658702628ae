// A config as the lines of a recipe, through the table of its keys; and the known key nearest to a wrong one.
// No toml++, no shared state.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/recipe_rules.h"

namespace vl3::recipe {

struct RecipeLine {
  std::string key;    ///< "data.sources.0.weight"
  std::string value;  ///< as TOML; "none" when unset
  bool changes_numbers = true;
};

/// A string as TOML writes it.
std::string toml_quoted(const std::string& text);
/// The shortest text that reads back as the same number, and as a float.
std::string toml_float(double value);

/// Whether this part of a key is the number of a list's entry.
bool is_index(const std::string& part);

/// The lines as a recipe, in sections; unset optional keys as comments.
std::string lines_toml(const std::vector<RecipeLine>& lines);

/// Of `known`, the one a person most likely meant; "" when none is near.
std::string nearest_key(const std::string& key, const std::vector<std::string>& known);

/// A visitor of a table of keys such as train/recipe_fields.h.
class Lines {
 public:
  void text(const char* key, std::string& value, const Text& rule) {
    add(key, toml_quoted(value), rule.effect);
  }
  void list(const char* key, std::vector<std::string>& values, const Text& rule) {
    std::vector<std::string> items;
    for (const std::string& value : values) items.push_back(toml_quoted(value));
    add(key, items.empty() ? "none" : fmt::format("[{}]", fmt::join(items, ", ")), rule.effect);
  }
  void flag(const char* key, bool& value, const Flag& rule) {
    add(key, value ? "true" : "false", rule.effect);
  }
  void seed(const char* key, uint64_t& value) { add(key, std::to_string(value), Effect::kNumbers); }
  void integer(const char* key, int64_t& value, const Range& rule) {
    add(key, std::to_string(value), rule.effect);
  }
  void integer(const char* key, std::optional<int64_t>& value, const Range& rule) {
    add(key, value ? std::to_string(*value) : "none", rule.effect);
  }
  void number(const char* key, double& value, const Range& rule) { add(key, toml_float(value), rule.effect); }
  void number(const char* key, std::optional<double>& value, const Range& rule) {
    add(key, value ? toml_float(*value) : "none", rule.effect);
  }
  template <typename Struct, typename Visit>
  void table(const std::string& key, Struct& value, const Visit& visit) {
    const std::string outer = std::exchange(prefix_, prefix_ + key + ".");
    visit(*this, value);
    prefix_ = outer;
  }
  template <typename Struct, typename Visit>
  void optional_table(const char* key, std::optional<Struct>& value, const Visit& visit) {
    if (value) table(key, *value, visit);
  }
  template <typename Struct, typename Visit>
  void tables(const char* key, std::vector<Struct>& values, const Visit& visit) {
    for (size_t i = 0; i < values.size(); ++i) table(fmt::format("{}.{}", key, i), values[i], visit);
  }

  std::vector<RecipeLine> lines;

 private:
  void add(const char* key, std::string value, Effect effect) {
    lines.push_back({prefix_ + key, std::move(value), effect == Effect::kNumbers});
  }
  std::string prefix_;
};

/// Every key of a config in the order of its table, the visit_recipe() beside it.
template <typename Config>
std::vector<RecipeLine> lines_of(Config config) {  // a copy: the table hands out mutable members
  Lines lines;
  visit_recipe(lines, config);
  return std::move(lines.lines);
}

/// The keys alone. @param all  with an entry in each list and every optional section.
template <typename Config>
std::vector<std::string> keys_of(const Config& all) {
  std::vector<std::string> keys;
  for (RecipeLine& line : lines_of(all)) keys.push_back(std::move(line.key));
  return keys;
}

}  // namespace vl3::recipe
