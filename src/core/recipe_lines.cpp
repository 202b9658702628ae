#include "core/recipe_lines.h"

#include <algorithm>
#include <limits>
#include <set>

namespace vl3::recipe {
namespace {

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

// The keys and, behind them, the sections that they stand in.
std::vector<std::string> with_sections(std::vector<std::string> known) {
  std::set<std::string> sections;
  for (const std::string& key : known) {
    for (size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
      const std::string section = key.substr(0, dot);
      if (!is_index(last_part(section))) sections.insert(section);
    }
  }
  known.insert(known.end(), sections.begin(), sections.end());
  return known;
}

}  // namespace

std::string toml_quoted(const std::string& text) {
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
std::string toml_float(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

bool is_index(const std::string& part) {
  return !part.empty() && part.size() <= 6 && part.find_first_not_of("0123456789") == std::string::npos;
}

std::string lines_toml(const std::vector<RecipeLine>& lines) {
  std::string out, section;
  for (const RecipeLine& line : lines) {
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

std::string nearest_key(const std::string& key, const std::vector<std::string>& known) {
  if (key.size() > 200) return "";
  const std::string wanted = without_indices(key), word = last_part(wanted);
  std::string best;
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const std::string& candidate : with_sections(known)) {
    const std::string other = last_part(candidate);
    // The right word in the wrong section is as near as a slip of one letter, the beginning of a word as two.
    const size_t begun = word.size() >= 4 && other.starts_with(word) ? 2 : best_distance;
    const size_t distance =
        std::min({edit_distance(wanted, candidate), edit_distance(word, other) + 1, begun});
    if (distance < best_distance) best_distance = distance, best = candidate;
  }
  return best_distance <= std::max<size_t>(2, word.size() / 3) ? best : "";
}

}  // namespace vl3::recipe
