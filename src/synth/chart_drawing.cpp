#include "synth/chart_drawing.h"

#include <algorithm>
#include <cmath>

namespace vl3::synth {
namespace {

struct Pen {
  Canvas& canvas;
  ImageFacts& facts;
  Ink ink;
  void print(const std::string& type, const std::string& text, double x, double y) {
    add_text(facts, type, text, ink.colour_name,
             draw_text(canvas, static_cast<int>(std::lround(x)), static_cast<int>(std::lround(y)), text,
                       ink.look));
  }
  int width(const std::string& text) const { return text_width(text, ink.look); }
  int height() const { return line_metrics(ink.look).height; }
};

Item mark_item(const Chart& chart, const Mark& mark, const Box& box) {
  return {chart.thing(), mark.name, std::string(name_of(mark.colour)), mark.value, -1, box};
}

Box box_of(double x, double y, double width, double height) {
  return {static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + width),
          static_cast<float>(y + height)};
}

void draw_pairs(Rng& rng, Pen& pen, const Chart& chart, int widest) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double pitch = std::max<double>(line, (pen.canvas.height() - 8.0) / n * rng.real(0.7, 1.0));
  const bool table = chart.level == kTable, colon = !table && !rng.chance(0.2);
  const int gap = table ? rng.between(10, 20) : 0;
  int widest_value = 0;
  for (const Mark& mark : chart.marks)
    widest_value = std::max(widest_value, pen.width(std::to_string(mark.value)));
  const double x = rng.between(4, std::max(4, pen.canvas.width() - widest - gap - widest_value - 20));
  double y = std::max(2.0, (pen.canvas.height() - pitch * n) / 2);
  const double top = y;
  const bool rules = table && rng.chance(0.7);
  for (const Mark& mark : chart.marks) {
    const double inset = (pitch - line) / 2;
    const std::string name = mark.name + (colon ? ":" : ""), value = std::to_string(mark.value);
    pen.print("key", name, x, y + inset);
    pen.print("value", value, table ? x + widest + gap : x + pen.width(name + " ") + 1, y + inset);
    y += pitch;
    if (rules)
      pen.canvas.line(x - 2, std::floor(y) + 0.5, x + widest + gap + widest_value + 4, std::floor(y) + 0.5,
                      pen.ink.look.colour, 1);
  }
  if (rules) {
    pen.canvas.stroke_rectangle(x - 2.5, std::floor(top) + 0.5, widest + gap + widest_value + 7,
                                std::floor(y) - std::floor(top), pen.ink.look.colour, 1);
    pen.canvas.line(std::floor(x + widest + gap / 2.0) + 0.5, top, std::floor(x + widest + gap / 2.0) + 0.5,
                    y, pen.ink.look.colour, 1);
  }
}

void draw_beside(Rng& rng, Pen& pen, const Chart& chart, int widest) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double pitch = (pen.canvas.height() - 10.0) / n, thick = pitch * rng.real(0.4, 0.75);
  int widest_value = 0;
  for (const Mark& mark : chart.marks)
    widest_value = std::max(widest_value, pen.width(std::to_string(mark.value)));
  const bool next_to_name = rng.chance(0.6);  // "A 7 |====", or the value at the end of its bar
  const double axis = 6 + widest + (next_to_name ? widest_value + 14 : 6);
  const double room = pen.canvas.width() - axis - (next_to_name ? 6 : widest_value + 8);
  const double scale = room / extreme(chart, true).value;
  for (int i = 0; i < n; ++i) {
    const Mark& mark = chart.marks[static_cast<size_t>(i)];
    const double y = 5 + pitch * i, length = std::max(1.0, mark.value * scale),
                 text_y = y + (pitch - line) / 2;
    pen.canvas.fill_rectangle(axis, y + (pitch - thick) / 2, length, thick, mark.shade);
    pen.facts.items.push_back(mark_item(chart, mark, box_of(axis, y + (pitch - thick) / 2, length, thick)));
    pen.print("key", mark.name, 4, text_y);
    pen.print("value", std::to_string(mark.value), next_to_name ? 4 + widest + 8 : axis + length + 3, text_y);
  }
  if (rng.chance(0.6))
    pen.canvas.line(axis - 0.5, 3, axis - 0.5, pen.canvas.height() - 3, pen.ink.look.colour, 1);
}

void draw_columns(Rng& rng, Pen& pen, const Chart& chart) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double left = 6, right = pen.canvas.width() - 6, top = line + 5,
               bottom = pen.canvas.height() - line - 4;
  const double slot = (right - left) / n, thick = slot * rng.real(0.4, 0.8),
               scale = (bottom - top) / extreme(chart, true).value;
  if (rng.chance(0.3)) {
    for (int i = 1; i < 5; ++i)
      pen.canvas.line(left, std::floor(bottom - (bottom - top) * i / 4) + 0.5, right,
                      std::floor(bottom - (bottom - top) * i / 4) + 0.5, {200, 200, 200}, 1);
  }
  const bool outline = rng.chance(0.3), inside = chart.level >= kBars && rng.chance(0.15);
  for (int i = 0; i < n; ++i) {
    const Mark& mark = chart.marks[static_cast<size_t>(i)];
    const double centre = left + slot * (i + 0.5), height = std::max(1.0, mark.value * scale),
                 x = centre - thick / 2;
    pen.canvas.fill_rectangle(x, bottom - height, thick, height, mark.shade);
    if (outline)
      pen.canvas.stroke_rectangle(std::floor(x) + 0.5, std::floor(bottom - height) + 0.5, thick, height,
                                  pen.ink.look.colour, 1);
    pen.facts.items.push_back(mark_item(chart, mark, box_of(x, bottom - height, thick, height)));
    pen.print("key", mark.name, centre - pen.width(mark.name) / 2.0, bottom + 2);
    if (!chart.printed) continue;
    const std::string value = std::to_string(mark.value);
    const bool fits = inside && height > line + 4 && thick > pen.width(value) + 2 &&
                      distance(mark.shade, pen.ink.look.colour) > 330;
    pen.print("value", value, centre - pen.width(value) / 2.0,
              fits ? bottom - height + 2 : bottom - height - line - 1);
  }
  pen.canvas.line(left, std::floor(bottom) + 0.5, right, std::floor(bottom) + 0.5, pen.ink.look.colour,
                  rng.chance(0.8) ? 1 : 2);
  if (rng.chance(0.4)) pen.canvas.line(left + 0.5, top - 2, left + 0.5, bottom, pen.ink.look.colour, 1);
}

void draw_line(Rng& rng, Pen& pen, const Chart& chart) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double left = 6, right = pen.canvas.width() - 6, top = line + 6,
               bottom = pen.canvas.height() - line - 6;
  const double slot = (right - left) / n, scale = (bottom - top - 4) / extreme(chart, true).value,
               radius = rng.real(2, 4);
  const Rgb colour = chart.marks[0].shade;
  double before_x = 0, before_y = 0;
  for (int i = 0; i < n; ++i) {
    const Mark& mark = chart.marks[static_cast<size_t>(i)];
    const double x = left + slot * (i + 0.5), y = bottom - mark.value * scale;
    if (i > 0) pen.canvas.line(before_x, before_y, x, y, colour, 2);
    before_x = x, before_y = y;
  }
  for (int i = 0; i < n; ++i) {
    const Mark& mark = chart.marks[static_cast<size_t>(i)];
    const double x = left + slot * (i + 0.5), y = bottom - mark.value * scale;
    pen.canvas.set_colour(colour);
    cairo_arc(pen.canvas.cairo(), x, y, radius, 0, 6.2832);
    cairo_fill(pen.canvas.cairo());
    pen.facts.items.push_back(mark_item(chart, mark, box_of(x - radius, y - radius, 2 * radius, 2 * radius)));
    pen.print("key", mark.name, x - pen.width(mark.name) / 2.0, bottom + 3);
    const std::string value = std::to_string(mark.value);
    if (!chart.printed) continue;
    // Above its point; below it at the bottom of a valley, where the lines come from above.
    const bool valley = i > 0 && i + 1 < n && mark.value < chart.marks[static_cast<size_t>(i - 1)].value &&
                        mark.value < chart.marks[static_cast<size_t>(i + 1)].value &&
                        y + radius + line < bottom;
    pen.print("value", value, x - pen.width(value) / 2.0, valley ? y + radius : y - line - radius - 1);
  }
  pen.canvas.line(left, std::floor(bottom) + 0.5, right, std::floor(bottom) + 0.5, pen.ink.look.colour, 1);
  pen.canvas.line(left + 0.5, top - 2, left + 0.5, bottom, pen.ink.look.colour, 1);
}

void draw_pie(Rng& rng, Pen& pen, const Chart& chart, int widest) {
  const int line = pen.height();
  const double cx = pen.canvas.width() / 2.0, cy = pen.canvas.height() / 2.0;
  const double label_height = chart.printed ? 2 * line : line;
  const double radius = std::max(16.0, std::min(cx - widest - 11, cy - label_height - 7));
  double total = 0, angle = -1.5708;
  for (const Mark& mark : chart.marks) total += mark.value;
  const bool edges = rng.chance(0.5);
  for (const Mark& mark : chart.marks) {
    const double sweep = mark.value / total * 6.283185, middle = angle + sweep / 2;
    cairo_t* cairo = pen.canvas.cairo();
    cairo_move_to(cairo, cx, cy);
    cairo_arc(cairo, cx, cy, radius, angle, angle + sweep);
    cairo_close_path(cairo);
    pen.canvas.set_colour(mark.shade);
    cairo_fill_preserve(cairo);
    if (edges) {
      pen.canvas.set_colour(pen.ink.look.colour);
      cairo_set_line_width(cairo, 1);
      cairo_stroke_preserve(cairo);
    }
    double x0, y0, x1, y1;
    cairo_path_extents(cairo, &x0, &y0, &x1, &y1);
    cairo_new_path(cairo);
    pen.facts.items.push_back(mark_item(chart, mark, box_of(x0, y0, x1 - x0, y1 - y0)));
    const double edge_x = cx + std::cos(middle) * (radius + 8), edge_y = cy + std::sin(middle) * (radius + 8);
    const auto place = [&](const std::string& text, double dy) {
      const double w = pen.width(text), x = edge_x - w / 2 + std::cos(middle) * w / 2;
      const double y = edge_y - label_height / 2 + std::sin(middle) * label_height / 2 + dy;
      pen.print(dy == 0 ? "key" : "value", text, x, y);
    };
    place(mark.name, 0);
    if (chart.printed) place(std::to_string(mark.value), line - 2);
    angle += sweep;
  }
}

}  // namespace

const Mark& extreme(const Chart& chart, bool highest) {
  return *std::max_element(chart.marks.begin(), chart.marks.end(), [&](const Mark& a, const Mark& b) {
    return highest ? a.value < b.value : a.value > b.value;
  });
}

// Sizes follow the labels, so that nothing collides.
std::optional<ChartLayout> choose_chart_layout(Rng& rng, const SynthOptions& options, const Chart& chart,
                                               const Ink& ink) {
  const int line = line_metrics(ink.look).height, n = static_cast<int>(chart.marks.size());
  int widest_value = 0;
  int widest = 0;
  for (const Mark& mark : chart.marks) {
    widest = std::max(widest, text_width(mark.name, ink.look));
    widest_value = std::max(widest_value, text_width(std::to_string(mark.value), ink.look));
  }
  ChartLayout layout;
  if (chart.level <= kTable) {
    layout = {widest + widest_value + rng.between(30, 70),
              n * (line + rng.between(2, 9)) + rng.between(8, 30), widest};
  } else if (chart.level == kBeside) {
    layout = {widest + widest_value + rng.between(80, 160),
              n * (line + rng.between(4, 12)) + rng.between(12, 30), widest};
  } else if (chart.level == kPie) {
    const int room = rng.between(90, 170);
    layout = {room + 2 * widest + 24, room + 2 * line * (chart.printed ? 2 : 1) + 16, widest};
  } else {
    const int slot = std::max({widest, widest_value, 18}) + rng.between(6, 20);
    layout = {n * slot + rng.between(14, 40), rng.between(90, 190) + 2 * line, widest};
  }
  if (rng.chance(0.5)) layout = {(layout.width + 27) / 28 * 28, (layout.height + 27) / 28 * 28, widest};
  layout.width = std::max(layout.width, options.min_side);
  layout.height = std::max(layout.height, options.min_side);
  if (layout.width > options.max_side || layout.height > options.max_side) return std::nullopt;
  return layout;
}

bool draw_chart(Rng& rng, Canvas& canvas, ImageFacts& facts, const Ink& ink, const Chart& chart,
                const ChartLayout& layout) {
  canvas.set_antialias(!rng.chance(0.3));
  Pen pen{canvas, facts, ink};
  if (chart.level <= kTable)
    draw_pairs(rng, pen, chart, layout.widest);
  else if (chart.level == kBeside)
    draw_beside(rng, pen, chart, layout.widest);
  else if (chart.level == kLine)
    draw_line(rng, pen, chart);
  else if (chart.level == kPie)
    draw_pie(rng, pen, chart, layout.widest);
  else
    draw_columns(rng, pen, chart);
  return std::all_of(facts.items.begin(), facts.items.end(), [&](const Item& item) {
    return item.type != "char" ||
           (item.box.x0 >= 0 && item.box.y0 >= 0 && item.box.x1 <= static_cast<float>(canvas.width()) &&
            item.box.y1 <= static_cast<float>(canvas.height()));
  });
}

}  // namespace vl3::synth
