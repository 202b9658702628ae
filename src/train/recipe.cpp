#include "train/recipe.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/check.h"
#include "core/file.h"
#include "train/recipe_fields.h"
#include "train/recipe_text.h"

namespace vl3::train {
namespace {

constexpr int kMaxKeyParts = 32;

// toml++ bounds the nesting of values but not of dotted keys, whose tables are destroyed recursively.
void check_key_depth(std::string_view text, const std::string& where) {
  int line = 1, dots = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;  // a comment
      continue;
    }
    if (c == '"' ||
        c == '\'') {  // to the end of the string; of a multi-line one too, whose quotes stand in threes
      for (++i; i < text.size() && text[i] != c && text[i] != '\n'; ++i) {
        if (text[i] == '\\' && c == '"') ++i;
      }
      if (i < text.size() && text[i] == '\n') ++line;
    } else if (c == '.') {
      VL3_CHECK(++dots < kMaxKeyParts, kInvalidArgument, "{}:{}: a key of more than {} parts", where, line,
                kMaxKeyParts);
    } else if (std::string_view(",[]{}=\n").find(c) != std::string_view::npos) {
      dots = 0;
    }
  }
}

toml::table parse_toml(std::string_view text, const std::string& where) {
  check_key_depth(text, where);
  try {
    return toml::parse(text, std::string_view(where));
  } catch (const toml::parse_error& error) {
    VL3_FAIL(kInvalidArgument, "{}:{}: not valid TOML: {}", where, error.source().begin.line,
             error.description());
  }
}

std::string shown(const toml::node& node) {
  std::ostringstream text;
  node.visit([&text](const auto& value) { text << value; });
  std::string line = text.str();
  return line.size() > 80 ? line.substr(0, 77) + "..." : line;
}

// Values of --set by their key, as typed.
using SetTexts = std::map<std::string, std::string>;

// A value that is no TOML is meant as a string, unless it begins like another kind of value.
toml::table parse_value(const std::string& key, const std::string& text) {
  const std::string where = fmt::format("--set {}={}", key, text);
  VL3_CHECK(std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }),
            kInvalidArgument, "{}: control characters in the value", where);
  check_key_depth(text, where);
  const bool plain = text.empty() || std::string_view("\"'[{").find(text[0]) == std::string_view::npos;
  try {
    toml::table parsed = toml::parse("value = " + text);
    if (parsed.size() == 1 && !(plain && text.find('#') != std::string::npos)) return parsed;
  } catch (const toml::parse_error& error) {
    VL3_CHECK(plain, kInvalidArgument, "{}: not a TOML value: {}", where, error.description());
  }
  return toml::table{{"value", text}};
}

std::vector<std::string> key_parts(const std::string& key, const std::string& where) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const bool good = std::none_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part.empty() || part.find_first_of(" \t\"'[]") != std::string::npos;
  });
  VL3_CHECK(good && parts.size() <= kMaxKeyParts, kInvalidArgument,
            "{}: expected KEY=VALUE with a key like lr.llm_lr", where);
  return parts;
}

bool is_index(const std::string& part) {
  return !part.empty() && part.size() <= 6 && part.find_first_not_of("0123456789") == std::string::npos;
}

// The child of `parent` that `part` names, made as `fresh` where it is not there; null where nothing can be.
template <typename Fresh>
toml::node* child(toml::node* parent, const std::string& part, const Fresh& fresh) {
  if (toml::table* table = parent->as_table()) {
    if (!table->contains(part)) table->insert(part, fresh);
    return table->get(part);
  }
  toml::array* array = parent->as_array();
  if (array == nullptr || !is_index(part) || std::stoul(part) > array->size()) return nullptr;
  if (std::stoul(part) == array->size()) array->push_back(fresh);
  return array->get(std::stoul(part));
}

void apply_set(const std::string& argument, toml::table* root, SetTexts* texts) {
  const size_t equals = argument.find('=');
  VL3_CHECK(equals != std::string::npos, kInvalidArgument, "--set {}: expected KEY=VALUE", argument);
  const std::string key = argument.substr(0, equals), text = argument.substr(equals + 1);
  const std::string where = "--set " + argument;
  const std::vector<std::string> parts = key_parts(key, where);
  toml::table parsed = parse_value(key, text);

  toml::node* parent = root;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    toml::node* next = is_index(parts[i + 1]) ? child(parent, parts[i], toml::array{})
                                              : child(parent, parts[i], toml::table{});
    const size_t size = parent->is_array() ? parent->as_array()->size() : 0;
    VL3_CHECK(next != nullptr, kInvalidArgument, "{}: \"{}\" is no entry of a list of {}", where, parts[i],
              size);
    parent = next;
  }
  parsed.get("value")->visit([&](const auto& value) {
    toml::array* array = parent->as_array();
    if (toml::table* table = parent->as_table()) {
      table->insert_or_assign(parts.back(), value);
    } else {
      VL3_CHECK(array != nullptr && is_index(parts.back()) && std::stoul(parts.back()) <= array->size(),
                kInvalidArgument, "{}: \"{}\" has nothing below it that this could name", where,
                key.substr(0, key.rfind('.')));
      const auto index = static_cast<std::ptrdiff_t>(std::stoul(parts.back()));
      if (static_cast<size_t>(index) == array->size()) {
        array->push_back(value);
      } else {
        array->replace(array->cbegin() + index, value);
      }
    }
  });
  (*texts)[key] = text;
}

// Reads one table after the other into the config's members. A visitor of recipe_fields.h.
class Reader {
 public:
  Reader(const toml::table& root, std::string where, const SetTexts& set)
      : table_(&root), where_(std::move(where)), set_(set), known_keys_(known_keys()) {}

  void read(TrainConfig* config) {
    visit_recipe(*this, *config);
    refuse_unknown();
  }
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
               near.empty() ? "see docs/guides/training.md for the keys there are"
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
  std::set<std::string> seen_;   // keys of this table that the config has
  std::set<std::string> given_;  // full paths of what the recipe says
};

}  // namespace

TrainConfig parse_recipe(std::string_view toml, const std::string& where,
                         const std::vector<std::string>& set) {
  VL3_CHECK(toml.size() <= kMaxRecipeBytes, kInvalidArgument, "{}: {} bytes, a recipe has at most {}", where,
            toml.size(), kMaxRecipeBytes);
  toml::table root = parse_toml(toml, where);
  SetTexts texts;
  for (const std::string& argument : set) apply_set(argument, &root, &texts);
  TrainConfig config;
  Reader reader(root, where, texts);
  reader.read(&config);

  const bool both = reader.given("global_batch_size") && config.global_batch_tokens.has_value();
  VL3_CHECK(!both || texts.count("global_batch_size") != texts.count("global_batch_tokens"), kInvalidArgument,
            "{}: global_batch_size {} and global_batch_tokens {} are both given; give one", where,
            config.global_batch_size, *config.global_batch_tokens);
  if (both && texts.count("global_batch_size") > 0) config.global_batch_tokens.reset();
  if (config.name.empty()) config.name = std::filesystem::path(where).stem().string();
  if (config.output.empty()) config.output = (std::filesystem::path("runs") / config.name).string();
  check_recipe(config, where);
  return config;
}

TrainConfig load_recipe(const std::filesystem::path& file, const std::vector<std::string>& set) {
  return parse_recipe(read_file(file, kMaxRecipeBytes), file.string(), set);
}

std::string recipe_toml(const TrainConfig& config) {
  std::string out, section;
  for (const RecipeLine& line : recipe_lines(config)) {
    const size_t dot = line.key.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : line.key.substr(0, dot);
    if (parent != section) {
      section = parent;
      const size_t last = section.rfind('.');
      const bool entry = last != std::string::npos && is_index(section.substr(last + 1));
      out += entry ? fmt::format("\n[[{}]]\n", section.substr(0, last)) : fmt::format("\n[{}]\n", section);
    }
    out += fmt::format("{}{} = {}\n", line.value == "none" ? "# " : "", line.key.substr(dot + 1), line.value);
  }
  return out;
}

std::vector<std::string> changed_keys(const TrainConfig& before, const TrainConfig& after) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  for (const RecipeLine& line : recipe_lines(before)) {
    if (line.changes_numbers) values[line.key].first = line.value;
  }
  for (const RecipeLine& line : recipe_lines(after)) {
    if (line.changes_numbers) values[line.key].second = line.value;
  }
  const auto said = [](const std::string& value) { return value.empty() ? std::string("none") : value; };
  std::vector<std::string> changed;
  for (const auto& [key, pair] : values) {
    if (said(pair.first) == said(pair.second)) continue;
    changed.push_back(fmt::format("{}: {} -> {}", key, said(pair.first), said(pair.second)));
  }
  return changed;
}

}  // namespace vl3::train
