// Shapes placed without overlap on a background: what scenes, several images and clips draw. Stateless.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "synth/background.h"
#include "synth/canvas.h"
#include "synth/options.h"
#include "synth/sample.h"

namespace vl3::synth {

struct Placed {
  ColouredShape what;
  ShapeLook look;
  Box box;  ///< once drawn
  double x() const { return look.centre_x; }
  double y() const { return look.centre_y; }
};

std::string name_of(ColouredShape what);  ///< "red circle"

struct LayoutRules {
  double smallest = 0.14, largest = 0.42;  ///< diameter over the shorter side
  double variety = 1;                      ///< of looks
  bool alike = false;                      ///< all of about one size
};

/// Looks and places for shapes of these colours; nothing when they do not fit.
std::optional<std::vector<Placed>> place_shapes(Rng& rng, int width, int height,
                                                const std::vector<ColouredShape>& what,
                                                const LayoutRules& rules);

/// Colour and shape pairs that the split allows and whose colours stand out; the first is held out in that
/// split. Nothing when the background allows too little. @param distinct  no pair twice
std::optional<std::vector<ColouredShape>> pick_shapes(Rng& rng, Split split, int count, bool distinct,
                                                      const Background& background);
/// The colour as it will be drawn on this background; nothing where no shade of it stands out.
std::optional<Rgb> shade_on(Rng& rng, Colour colour, const Background& background);

/// Colours the shape; a thin outline that would be faint on this background becomes a filled shape.
void set_shade(ShapeLook& look, Rgb shade, const Background& background);

/// Draws in order, filling in the boxes, and gives the facts.
ImageFacts draw_scene(Canvas& canvas, const Background& background, std::vector<Placed>& shapes);
Item shape_item(const Placed& shape, int object = -1);

/// "left", "right", "above", "below": where a is, seen from b; "" where it is not plain.
std::string relation_of(const Box& a, const Box& b);
/// "top left" … "middle" … "bottom right"; "" near a border of the nine cells.
std::string position_of(const Box& box, int width, int height);
/// All names that would do: near a border both sides of it.
std::vector<std::string> positions_near(const Box& box, int width, int height);

}  // namespace vl3::synth
