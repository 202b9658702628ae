#include "synth/wording.h"

#include <cctype>

#include "core/check.h"

namespace vl3::synth {
namespace {

// Writes out the alternatives; without rng the first of each.
std::string choose(Rng* rng, std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '[') {
      out += text[i];
      continue;
    }
    const size_t close = text.find(']', i);
    VL3_DCHECK(close != std::string_view::npos);
    std::vector<std::string_view> options;
    std::string_view inside = text.substr(i + 1, close - i - 1);
    for (size_t bar = inside.find('|');; bar = inside.find('|')) {
      options.push_back(inside.substr(0, bar));
      if (bar == std::string_view::npos) break;
      inside.remove_prefix(bar + 1);
    }
    out += rng != nullptr ? rng->pick(options) : options[0];
    i = close;
  }
  return out;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string fill(std::string_view text, Slots slots) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{') {
      out += text[i];
      continue;
    }
    const size_t close = text.find('}', i);
    const std::string_view name = text.substr(i + 1, close - i - 1);
    bool found = false;
    for (const auto& [slot, value] : slots) {
      if (slot == name) out += value, found = true;
    }
    VL3_CHECK(found, kInternal, "a question has no slot {}", name);
    i = close;
  }
  return out;
}

void lower(std::string& text) {
  int depth = 0;  // names of slots stay
  for (char& c : text) {
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (depth == 0) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
}

void lower_first(std::string& text) {
  if (!text.empty() && text[0] != '{' && !text.starts_with("I ")) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
}

}  // namespace

std::string say(Rng& rng, const std::vector<std::string_view>& templates, Slots slots) {
  std::string text = choose(&rng, rng.chance(0.33) ? templates.front() : rng.pick(templates));
  if (rng.chance(0.5)) {
    for (const auto& [british, american] :
         {std::pair{"colour", "color"}, {"Colour", "Color"}, {"grey", "gray"}, {"centre", "center"}}) {
      replace_all(text, british, american);
    }
  }
  // What an empty alternative leaves behind.
  replace_all(text, "  ", " ");
  replace_all(text, " ?", "?");
  replace_all(text, " .", ".");
  const bool question = text.ends_with('?');
  const double manner = rng.real();
  if (manner < 0.04) {
    lower_first(text);
    text = std::string(
               rng.pick({"Please tell me: ", "Tell me, ", "Quick question: ", "Look closely: ", "Say, "})) +
           text;
  } else if (manner < 0.07 && question) {
    text.insert(text.size() - 1, ", please");
  } else if (manner < 0.10 && question) {
    text += rng.pick(
        {" Answer briefly.", " Answer with a word or two.", " Be brief.", " Just the answer, please."});
  } else if (manner < 0.13 && question) {
    text += "\nAnswer the question using a single word or phrase.";
  } else if (manner < 0.15 && question) {
    lower_first(text);
    text = "I would like to know: " + text;
  }
  if (rng.chance(0.1)) lower(text);
  if (rng.chance(0.08) && (text.ends_with('?') || text.ends_with('.'))) text.pop_back();
  return fill(text, slots);
}

std::string plain(std::string_view text, Slots slots) { return fill(choose(nullptr, text), slots); }

std::string join_words(const std::vector<std::string>& parts, std::string_view last) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += i + 1 == parts.size() ? last : std::string_view(", ");
    out += parts[i];
  }
  return out;
}

std::string capitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace vl3::synth
