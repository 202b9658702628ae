#include "synth/scene_layout.h"

#include <algorithm>
#include <cmath>

namespace vl3::synth {

std::string name_of(ColouredShape what) {
  return std::string(name_of(what.colour)) + " " + std::string(name_of(what.shape));
}

std::optional<Rgb> shade_on(Rng& rng, Colour colour, const Background& background) {
  for (int attempt = 0; attempt < 6; ++attempt) {
    const Rgb shade = shade_of(colour, rng);
    if (stands_out(shade, background)) return shade;
  }
  return std::nullopt;
}

std::optional<std::vector<ColouredShape>> pick_shapes(Rng& rng, Split split, int count, bool distinct,
                                                      const Background& background) {
  std::vector<ColouredShape> picked;
  for (int attempt = 0; attempt < 200 && static_cast<int>(picked.size()) < count; ++attempt) {
    const ColouredShape pair = pick_pair(rng, split, picked.empty() || rng.chance(0.4));
    if (distinct && std::find(picked.begin(), picked.end(), pair) != picked.end()) continue;
    if (!shade_on(rng, pair.colour, background)) continue;
    picked.push_back(pair);
  }
  if (static_cast<int>(picked.size()) < count) return std::nullopt;
  return picked;
}

std::optional<std::vector<Placed>> place_shapes(Rng& rng, int width, int height,
                                                const std::vector<ColouredShape>& what,
                                                const LayoutRules& rules) {
  const double side = std::min(width, height), area = static_cast<double>(width) * height;
  // As many shapes as there are must find room beside each other.
  const double fitting = std::sqrt(area / static_cast<double>(what.size()) * 0.42);
  const double largest = std::min(rules.largest * side, fitting);
  const double smallest = std::min(std::max(14.0, rules.smallest * side), largest);
  for (int attempt = 0; attempt < 12; ++attempt) {
    const double shrink = 1 - 0.05 * attempt;
    std::vector<Placed> placed;
    const double common = rng.real(smallest, largest);
    for (const ColouredShape pair : what) {
      const double size =
          shrink * (rules.alike ? common * rng.real(0.92, 1.08) : rng.real(smallest, largest));
      bool found = false;
      for (int tries = 0; tries < 40 && !found; ++tries) {
        const double half = size / 2 + 2;
        if (2 * half >= side) break;
        const double x = rng.real(half, width - half), y = rng.real(half, height - half);
        found = std::all_of(placed.begin(), placed.end(), [&](const Placed& other) {
          return std::hypot(x - other.x(), y - other.y()) > (size + other.look.size) / 2 * 1.06 + 2;
        });
        if (found) placed.push_back({pair, pick_look(rng, pair.shape, x, y, size, {}, rules.variety), {}});
      }
      if (!found) break;
    }
    if (placed.size() == what.size()) return placed;
  }
  return std::nullopt;
}

void set_shade(ShapeLook& look, Rgb shade, const Background& background) {
  look.colour = shade;
  if (look.fill == ShapeLook::Fill::kOutline && !stands_out(shade, background, 190))
    look.fill = ShapeLook::Fill::kSolid;
}

Item shape_item(const Placed& shape, int object) {
  return {
      "shape",  std::string(name_of(shape.what.shape)), std::string(name_of(shape.what.colour)), 0, object,
      shape.box};
}

ImageFacts draw_scene(Canvas& canvas, const Background& background, std::vector<Placed>& shapes) {
  ImageFacts facts{canvas.width(), canvas.height(), background.name, {}};
  for (Placed& shape : shapes) {
    shape.box = draw_shape(canvas, shape.what.shape, shape.look);
    facts.items.push_back(shape_item(shape));
  }
  return facts;
}

std::string relation_of(const Box& a, const Box& b) {
  const double dx = a.centre_x() - b.centre_x(), dy = a.centre_y() - b.centre_y();
  const double across = std::max(std::abs(dx), std::abs(dy)), along = std::min(std::abs(dx), std::abs(dy));
  const bool sideways = std::abs(dx) > std::abs(dy);
  const double room = sideways ? (a.width() + b.width()) / 2 : (a.height() + b.height()) / 2;
  if (across < 1.5 * along || across < 0.8 * room) return "";
  return sideways ? (dx < 0 ? "left" : "right") : (dy < 0 ? "above" : "below");
}

namespace {

constexpr double kBorder =
    0.05;  // of the side: nearer to a border between cells it is not plain which one is meant
constexpr const char* kCells[3][3] = {
    {"top left", "top", "top right"}, {"left", "middle", "right"}, {"bottom left", "bottom", "bottom right"}};

std::vector<int> cells_near(double at) {
  std::vector<int> cells;
  for (int cell = 0; cell < 3; ++cell) {
    if (at > cell / 3.0 - kBorder && at < (cell + 1) / 3.0 + kBorder) cells.push_back(cell);
  }
  return cells;
}

}  // namespace

std::vector<std::string> positions_near(const Box& box, int width, int height) {
  std::vector<std::string> names;
  for (const int row : cells_near(box.centre_y() / height)) {
    for (const int column : cells_near(box.centre_x() / width)) names.emplace_back(kCells[row][column]);
  }
  return names;
}

std::string position_of(const Box& box, int width, int height) {
  const std::vector<std::string> names = positions_near(box, width, height);
  return names.size() == 1 ? names[0] : "";
}

}  // namespace vl3::synth
