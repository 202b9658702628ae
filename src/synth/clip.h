// A clip as a schedule: shapes that move, come, go and change colour on a grid of times, and its frames at
// any rate.
#pragma once

#include <optional>
#include <vector>

#include "synth/background.h"
#include "synth/family.h"
#include "synth/scene_layout.h"

namespace vl3::synth {

struct Span {
  double from_s = 0, to_s = 0;  ///< half-open
};

struct Actor {
  ColouredShape what;
  ShapeLook look;                 ///< place at the start
  std::vector<Span> visible;      ///< in order of time
  double move_x = 0, move_y = 0;  ///< pixels from move.from_s to move.to_s
  Span move;
  std::optional<Colour> turns;  ///< at turn_s
  Rgb turned;
  double turn_s = 0;
};

struct Clip {
  int width = 0, height = 0;
  int steps = 2;  ///< frames of the schedule, 1/fps seconds apart
  double fps = 1;
  std::vector<Actor> actors;
  double duration_s() const { return steps / fps; }
};

/// Draws the clip at options.render_fps (its schedule's own rate by default), fills in frames and
/// facts.images.
void render_clip(Rng& rng, const SynthOptions& options, const Clip& clip, const Canvas& backdrop,
                 const Background& background, Sample& sample);

/// What a clip is about; each suits some kinds of question.
enum class Script { kMove, kOrder, kSlides, kAppear, kVanish, kColour, kFlash, kNeedle };

/// Schedules and places everything, then renders. Facts (objects, events) are complete; nothing when it does
/// not fit.
std::optional<Clip> make_clip(Rng& rng, const SynthOptions& options, Script script, int steps, int low_side,
                              int high_side, Sample& sample);

/// "1.0-3.0 s"
std::string span_text(double from_s, double to_s);

}  // namespace vl3::synth
