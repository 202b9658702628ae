// Reads a recipe into a config through the table of its keys, and names what is wrong: unknown keys with the
// nearest known one, types, ranges, the line or the --set it stands in. Brings in toml++. One thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/recipe_lines.h"
#include "core/recipe_rules.h"
#include "core/recipe_source.h"

namespace vl3::recipe {

// Reads one table after the other into the config's members. A visitor of a table of keys
// such as train/recipe_fields.h.
class Reader {
 public:
  /// @param known_keys  every key there is, for "did you mean"
  /// @param guide  the page that lists them
  Reader(const Source& source, std::vector<std::string> known_keys, std::string guide)
      : table_(&source.root),
        where_(source.where),
        set_(source.set),
        known_keys_(std::move(known_keys)),
        guide_(std::move(guide)) {}

  /// Every key of the recipe, through `visit_all(*this, config)`; then refuses what none of them was.
  template <typename Config, typename Visit>
  void read(Config* config, const Visit& visit_all) {
    visit_all(*this, *config);
    refuse_unknown();
  }
  /// Whether the recipe or a --set says it.
  bool given(const std::string& key) const { return given_.count(key) > 0; }

  void text(const char* key, std::string& value, const Text& rule) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto typed = set_.find(path(key));
    if (node->is_string()) {
      value = node->as_string()->get();
    } else {  // --set name=7 means the text, whatever TOML makes of it
      if (typed == set_.end()) wrong(key, *node, "a string");
      value = typed->second;
    }
    if (!rule.choices.empty() &&
        std::find(rule.choices.begin(), rule.choices.end(), value) == rule.choices.end()) {
      wrong(key, *node, fmt::format("one of \"{}\"", fmt::join(rule.choices, "\", \"")));
    }
  }

  void list(const char* key, std::vector<std::string>& values, const Text&) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    values.clear();
    if (node->is_string()) {
      values.push_back(node->as_string()->get());
    } else {
      if (!node->is_array()) wrong(key, *node, "a list of strings");
      for (const toml::node& item : *node->as_array()) {
        if (!item.is_string()) wrong(key, *node, "a list of strings");
        values.push_back(item.as_string()->get());
      }
    }
    if (values.empty()) wrong(key, *node, "at least one string");
  }

  void flag(const char* key, bool& value, const Flag&) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_boolean()) wrong(key, *node, "true or false");
    value = node->as_boolean()->get();
  }

  void seed(const char* key, uint64_t& value) {
    auto number = static_cast<int64_t>(value);
    integer(key, number, Range{0, 9.2e18});
    value = static_cast<uint64_t>(number);
  }

  void integer(const char* key, int64_t& value, const Range& rule) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const std::string allowed = fmt::format("a whole number from {} to {}", rule.low, rule.high);
    if (!node->is_integer()) wrong(key, *node, allowed);
    value = node->as_integer()->get();
    if (static_cast<double>(value) < rule.low || static_cast<double>(value) > rule.high)
      wrong(key, *node, allowed);
  }

  void number(const char* key, double& value, const Range& rule) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const std::string allowed = fmt::format("a number {} {}, at most {}",
                                            rule.with_low ? "of at least" : "above", rule.low, rule.high);
    const std::optional<double> found = node->is_number() ? node->value<double>() : std::nullopt;
    if (!found || !(rule.with_low ? *found >= rule.low : *found > rule.low) || *found > rule.high) {
      wrong(key, *node, allowed);
    }
    value = *found;
  }

  void integer(const char* key, std::optional<int64_t>& value, const Range& rule) {
    if (!unset(key, value)) integer(key, value.emplace(), rule);
  }
  void number(const char* key, std::optional<double>& value, const Range& rule) {
    if (!unset(key, value)) number(key, value.emplace(), rule);
  }

  template <typename Struct, typename Visit>
  void table(const char* key, Struct& value, const Visit& visit) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    if (!node->is_table()) wrong(key, *node, fmt::format("a section [{}]", path(key)));
    enter(*node->as_table(), path(key), value, visit);
  }

  template <typename Struct, typename Visit>
  void optional_table(const char* key, std::optional<Struct>& value, const Visit& visit) {
    if (!unset(key, value)) table(key, value.emplace(), visit);
  }

  template <typename Struct, typename Visit>
  void tables(const char* key, std::vector<Struct>& values, const Visit& visit) {
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const std::string allowed = fmt::format("entries that each begin with [[{}]]", path(key));
    if (!node->is_array()) wrong(key, *node, allowed);
    values.clear();
    for (const toml::node& item : *node->as_array()) {
      if (!item.is_table()) wrong(key, *node, allowed);
      const std::string entry = fmt::format("{}.{}", path(key), values.size());
      enter(*item.as_table(), entry, values.emplace_back(), visit);
    }
  }

 private:
  std::string path(const std::string& key) const { return prefix_.empty() ? key : prefix_ + "." + key; }

  const toml::node* find(const std::string& key) {
    seen_.insert(key);
    const toml::node* node = table_->get(key);
    if (node != nullptr) given_.insert(path(key));
    return node;
  }

  // Whether the key is absent or "none"; the latter unsets it.
  template <typename T>
  bool unset(const char* key, std::optional<T>& value) {
    const toml::node* node = find(key);
    if (node == nullptr) return true;
    if (!node->is_string() || node->as_string()->get() != "none") return false;
    value.reset();
    return true;
  }

  template <typename Struct, typename Visit>
  void enter(const toml::table& inner, const std::string& prefix, Struct& value, const Visit& visit) {
    const toml::table* outer = std::exchange(table_, &inner);
    const std::string outer_prefix = std::exchange(prefix_, prefix);
    std::set<std::string> outer_seen = std::exchange(seen_, {});
    visit(*this, value);
    refuse_unknown();
    table_ = outer, prefix_ = outer_prefix, seen_ = std::move(outer_seen);
  }

  void refuse_unknown() {
    for (const auto& [name, node] : *table_) {
      const std::string key(name.str());
      if (seen_.count(key) > 0) continue;
      const std::string near = nearest_key(path(key), known_keys_);
      VL3_FAIL(kInvalidArgument, "{}: unknown key \"{:.100}\"; {}", place(path(key), node), path(key),
               near.empty() ? fmt::format("see {} for the keys there are", guide_)
                            : fmt::format("did you mean {}?", near));
    }
  }

  // "recipe.toml:12", or the --set that the value (or what it is part of) came from.
  std::string place(const std::string& key, const toml::node& node) const {
    for (std::string part = key; !part.empty();
         part.resize(part.rfind('.') == std::string::npos ? 0 : part.rfind('.'))) {
      if (const auto it = set_.find(part); it != set_.end())
        return fmt::format("--set {}={:.100}", part, it->second);
    }
    for (const auto& [set_key, value] : set_) {
      if (set_key.starts_with(key + ".")) return fmt::format("--set {}={:.100}", set_key, value);
    }
    return fmt::format("{}:{}", where_, node.source().begin.line);
  }

  [[noreturn]] void wrong(const std::string& key, const toml::node& node, const std::string& allowed) const {
    VL3_FAIL(kInvalidArgument, "{}: {} is {}; expected {}", place(path(key), node), path(key), shown(node),
             allowed);
  }

  const toml::table* table_;
  std::string prefix_;
  std::string where_;
  const SetTexts& set_;
  const std::vector<std::string> known_keys_;
  const std::string guide_;
  std::set<std::string> seen_;   // keys of this table that the config has
  std::set<std::string> given_;  // full paths of what the recipe says
};

}  // namespace vl3::recipe
