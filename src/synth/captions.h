// Captions out of facts, and the facts back out of a caption: how descriptions are written and how they are
// judged. Stateless.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "synth/sample.h"
#include "synth/vocabulary.h"

namespace vl3::synth {

/// "a red circle, two blue squares and a green star", equal ones counted where the first of them stands.
std::string list_phrase(const std::vector<ColouredShape>& shapes);

/// The shapes of an image from left to right.
std::vector<ColouredShape> shapes_of(const ImageFacts& image);
std::optional<ColouredShape> parse_shape(const Item& item);

/// @param detail  0 "a red circle and a blue square", 1 a sentence, 2 with places and the background
std::string image_caption(const ImageFacts& image, int detail);
/// What happens in a clip, a sentence an event in order of time, then what stays still. detail 0: events
/// only.
std::string clip_caption(const Facts& facts, int detail);

/// What a text claims, one string a claim in a form of its own ("2 red circle", "red circle left of blue
/// square", "background white", "red circle moves left", …). Words of the vocabulary that are part of no
/// claim it understands are claims, too ("? star"), so that a caption cannot be right by being garbled.
std::set<std::string> claims_of(const std::string& caption);

/// What must be claimed of these facts, and what else may be.
struct Truth {
  std::set<std::string> required, allowed;
};
Truth truth_of(const Facts& facts, MediaType type);

/// All required claims are there and none that is not true.
bool caption_is_right(const std::string& caption, const Facts& facts, MediaType type);

}  // namespace vl3::synth
