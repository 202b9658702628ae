// What can be asked about a clip.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "synth/clip.h"

namespace vl3::synth {

/// A clip to ask about: its facts and how it came about.
struct Scenario {
  const Facts& facts;
  Script script;
  double step_s;

  const ClipObject& lead() const { return facts.objects[0]; }
  bool ordered() const { return script == Script::kOrder || script == Script::kSlides; }
};

/// A question of this kind of video.*; nothing where the script does not allow it.
std::optional<Question> ask_about_clip(Rng& rng, const SynthOptions& options, const Scenario& scenario,
                                       std::string_view kind);

/// long.needle: which object can be seen for a short time only.
Question ask_needle(Rng& rng, const Scenario& scenario);

}  // namespace vl3::synth
