#include "core/recipe_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "core/check.h"
#include "core/printable.h"
#include "core/recipe_lines.h"

namespace vl3::recipe {
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

// A value that is no TOML is meant as a string, unless it begins like another kind of value.
toml::table parse_value(const std::string& key, const std::string& text) {
  const std::string where = fmt::format("--set {}={}", key, text);
  VL3_CHECK(printable(text) == text, kInvalidArgument,
            "{}: control characters in the value, or bytes that are no UTF-8", where);
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
            "{}: expected KEY=VALUE with a key like section.key", where);
  return parts;
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

}  // namespace

std::string shown(const toml::node& node) {
  std::ostringstream text;
  node.visit([&text](const auto& value) { text << value; });
  std::string line = text.str();
  return line.size() > 80 ? line.substr(0, 77) + "..." : line;
}

Source parse_source(std::string_view text, const std::string& where, const std::vector<std::string>& set) {
  VL3_CHECK(text.size() <= kMaxRecipeBytes, kInvalidArgument, "{}: {} bytes, a recipe has at most {}", where,
            text.size(), kMaxRecipeBytes);
  Source source{parse_toml(text, where), where, {}};
  for (const std::string& argument : set) apply_set(argument, &source.root, &source.set);
  return source;
}

}  // namespace vl3::recipe
