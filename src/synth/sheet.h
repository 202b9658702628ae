// Samples side by side with their questions and answers, to be looked at.
#pragma once

#include <string>
#include <vector>

#include "synth/sample.h"

namespace vl3::synth {

/// A PNG; clips show up to eight of their frames, large pictures are halved until they fit.
std::string draw_sheet(const std::vector<Sample>& samples);

}  // namespace vl3::synth
