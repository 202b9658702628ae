// What shapes and texts stand on: plain, gradients, noise, stripes, checks, dots, photo-like blobs.
#pragma once

#include <optional>
#include <string>

#include "synth/canvas.h"

namespace vl3::synth {

struct Background {
  std::string name;        ///< colour of the vocabulary where it is plain and of a nameable colour, else ""
  std::vector<Rgb> tones;  ///< the colours in it: what is drawn on top has to differ from all
};

/// Fills the canvas. @param level  0 white … 4 everything (SynthOptions::background_level)
Background paint_background(Canvas& canvas, Rng& rng, int level);

/// Whether something of this colour stands out from all tones.
bool stands_out(Rgb colour, const Background& background, double least = 110);

}  // namespace vl3::synth
