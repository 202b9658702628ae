// Questions in everyday wording: templates with alternatives, spellings and manners. Stateless.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "synth/rng.h"

namespace vl3::synth {

using Slots = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Picks one of the templates (the first, plainest one a third of the time) and writes it out: "[a|b|]" is
/// one of the alternatives, "{name}" the slot. Templates are in British spelling; half of what comes out is
/// American. A few come out in lower case, without their final mark, or more polite; slots always as they
/// are.
std::string say(Rng& rng, const std::vector<std::string_view>& templates, Slots slots = {});

/// The first template with its first alternatives, as an example.
std::string plain(std::string_view text, Slots slots = {});

/// "a, b and c"
std::string join_words(const std::vector<std::string>& parts, std::string_view last = " and ");
std::string capitalised(std::string text);

}  // namespace vl3::synth
