#include "train/recipe_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "train/recipe_fields.h"

namespace vl3::train {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// The shortest text that reads back as the same number, and as a float.
std::string float_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Lines {
 public:
  void text(const char* key, std::string& value, const Text& rule) { add(key, quoted(value), rule.effect); }
  void list(const char* key, std::vector<std::string>& values, const Text& rule) {
    std::vector<std::string> items;
    for (const std::string& value : values) items.push_back(quoted(value));
    add(key, fmt::format("[{}]", fmt::join(items, ", ")), rule.effect);
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
  void number(const char* key, double& value, const Range& rule) { add(key, float_text(value), rule.effect); }
  void number(const char* key, std::optional<double>& value, const Range& rule) {
    add(key, value ? float_text(*value) : "none", rule.effect);
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

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// "data.sources.3.weight" as "data.sources.0.weight", which is how known keys are written.
std::string without_indices(const std::string& key) {
  std::string out;
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('.', begin), key.size());
    const std::string part = key.substr(begin, end - begin);
    const bool index = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    out += (begin > 0 ? "." : "") + (index ? std::string("0") : part);
    begin = end + 1;
  }
  return out;
}

std::string last_part(const std::string& key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

std::vector<RecipeLine> recipe_lines(const TrainConfig& config) {
  TrainConfig copy = config;  // the table hands out mutable members
  Lines lines;
  visit_recipe(lines, copy);
  return std::move(lines.lines);
}

std::vector<std::string> known_keys() {
  TrainConfig all;
  all.lora.emplace();
  all.data.sources.emplace_back();
  std::vector<std::string> keys;
  for (const RecipeLine& line : recipe_lines(all)) keys.push_back(line.key);
  return keys;
}

std::string nearest_key(const std::string& key, const std::vector<std::string>& known) {
  if (key.size() > 200) return "";
  const std::string wanted = without_indices(key);
  std::string best;
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const std::string& candidate : known) {
    // The right word in the wrong section is as near as a slip of one letter.
    const size_t by_word = edit_distance(last_part(key), last_part(candidate)) + 1;
    const size_t distance = std::min(edit_distance(wanted, candidate), by_word);
    if (distance < best_distance) best_distance = distance, best = candidate;
  }
  return best_distance <= std::max<size_t>(2, last_part(key).size() / 3) ? best : "";
}

}  // namespace vl3::train
