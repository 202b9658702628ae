#include "synth/text_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace vl3::synth {
namespace {

constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

double luma(Rgb c) { return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b; }

// Draws until the split allows it.
template <typename Draw>
std::string until_obeyed(Split split, Draw draw) {
  std::string text = draw();
  for (int attempt = 0; attempt < 400 && !obeys(text, split); ++attempt) text = draw();
  return text;
}

}  // namespace

bool obeys(std::string_view text, Split split) {
  if (split == Split::kAll) return true;
  bool any_long = false, any_held = false;
  std::string word;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != ' ') {
      word += text[i];
      continue;
    }
    any_long = any_long || word.size() >= 3;
    any_held = any_held || is_heldout(word);
    word.clear();
  }
  return split == Split::kTrain ? !any_held : any_held || !any_long;
}

std::string pick_cased_word(Rng& rng, Split split) {
  std::string word = pick_word(rng, split);
  const double roll = rng.real();
  if (roll < 0.4) return upper(word);
  if (roll < 0.65) word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
  return word;
}

std::string pick_value(Rng& rng, Split split, ValueSort sort) {
  return until_obeyed(split, [&]() -> std::string {
    switch (sort) {
      case ValueSort::kNumber:
        return std::to_string(rng.chance(0.7) ? rng.between(1, 99) : rng.between(100, 9999));
      case ValueSort::kName:
        return std::string(rng.pick(first_names()));
      case ValueSort::kWord:
        return pick_cased_word(rng, split);
      case ValueSort::kCode:
        return pick_string(rng, Split::kAll, rng.between(3, 6), Alphabet::kCapitalsAndDigits);
      case ValueSort::kPrice:
        return fmt::format("{}{}.{:02}", rng.chance(0.3) ? "$" : "", rng.between(0, 99), rng.below(100));
      case ValueSort::kDate:
        return fmt::format("{} {}", rng.between(1, 31), rng.pick(kMonths));
      case ValueSort::kTime:
        return fmt::format("{}:{:02}", rng.between(0, 23), rng.below(60));
    }
    return "";
  });
}

std::string pick_sign(Rng& rng, Split split, int max_chars) {
  while (true) {
    std::string text;
    const double roll = rng.real();
    if (roll < 0.45)
      text = pick_cased_word(rng, split);
    else if (roll < 0.6)
      text = pick_cased_word(rng, split) + " " + pick_cased_word(rng, Split::kAll);
    else if (roll < 0.7)
      text = pick_string(rng, split, rng.between(1, 6), Alphabet::kDigits);
    else if (roll < 0.8)
      text = pick_string(rng, split, rng.between(2, 7),
                         rng.chance(0.5) ? Alphabet::kCapitals : Alphabet::kCapitalsAndDigits);
    else if (roll < 0.85)
      text =
          pick_string(rng, split, rng.between(2, 7), rng.chance(0.7) ? Alphabet::kSmall : Alphabet::kMixed);
    else
      text = pick_value(rng, split,
                        rng.pick({ValueSort::kPrice, ValueSort::kDate, ValueSort::kTime, ValueSort::kName}));
    if (static_cast<int>(text.size()) <= max_chars && obeys(text, split)) return text;
  }
}

std::optional<Ink> pick_ink(Rng& rng, const SynthOptions& options, int low, int high, bool coloured,
                            const Background& background) {
  Ink ink;
  const int least = options.min_glyph.value_or(low),
            most = std::max(least, options.max_glyph.value_or(std::max(high, least)));
  ink.look.font = pick_font(rng);
  ink.look.size = rng.between(least, most);
  ink.look.antialias = !rng.chance(0.12);
  ink.look.hinted = rng.chance(0.6);
  if (rng.chance(0.1)) ink.look.tracking = rng.real(0, 2);
  for (int attempt = 0; attempt < 20; ++attempt) {
    const Colour colour = coloured           ? static_cast<Colour>(rng.below(kColours))
                          : rng.chance(0.75) ? Colour::kBlack
                          : rng.chance(0.5)
                              ? Colour::kWhite
                              : rng.pick({Colour::kBlue, Colour::kRed, Colour::kGreen, Colour::kGray});
    ink.look.colour =
        !coloured && colour == Colour::kBlack && rng.chance(0.5) ? Rgb{0, 0, 0} : shade_of(colour, rng);
    ink.colour_name = name_of(colour);
    // Print needs light against dark; yellow on white differs, but is hard to read.
    const bool legible = std::all_of(background.tones.begin(), background.tones.end(), [&](Rgb tone) {
      return std::abs(luma(tone) - luma(ink.look.colour)) >= 75;
    });
    if (legible && stands_out(ink.look.colour, background, 200)) return ink;
  }
  return std::nullopt;
}

void add_text(ImageFacts& facts, const std::string& type, const std::string& text, const std::string& colour,
              const PlacedText& placed) {
  facts.items.push_back({type, text, colour, 0, -1, placed.box});
  for (size_t i = 0; i < text.size() && i < placed.chars.size(); ++i) {
    if (text[i] != ' ')
      facts.items.push_back({"char", std::string(1, text[i]), colour, 0, -1, placed.chars[i]});
  }
}

}  // namespace vl3::synth
