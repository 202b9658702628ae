// Lines of print for documents and charts: what they say, how they look, where they go. Stateless.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "synth/background.h"
#include "synth/fonts.h"
#include "synth/options.h"
#include "synth/sample.h"

namespace vl3::synth {

/// Whether a text may stand in this split: train, no held-out word of it; held-out, one at least (where any
/// is long enough to be held out).
bool obeys(std::string_view text, Split split);

/// A word or two, a number, a code, a price, a time, a date: what signs and labels say.
std::string pick_sign(Rng& rng, Split split, int max_chars);
/// A word in capitals, in small letters or capitalised.
std::string pick_cased_word(Rng& rng, Split split);
/// What is written in forms under this sort of key.
enum class ValueSort { kNumber, kName, kWord, kCode, kPrice, kDate, kTime };
std::string pick_value(Rng& rng, Split split, ValueSort sort);

/// A face and a size of `low` … `high` (options.min_glyph and max_glyph go before), in a colour that stands
/// out. colour_name is the vocabulary's, dark ink mostly "black".
struct Ink {
  TextLook look;
  std::string colour_name;
};
std::optional<Ink> pick_ink(Rng& rng, const SynthOptions& options, int low, int high, bool coloured,
                            const Background& background);

/// Adds a line and its characters to the facts.
void add_text(ImageFacts& facts, const std::string& type, const std::string& text, const std::string& colour,
              const PlacedText& placed);

}  // namespace vl3::synth
