// chart.*: bars, lines and pies with printed labels; and, as steps towards the value of a named bar, the same numbers
// as pairs of text and as a table.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "synth/artefacts.h"
#include "synth/family.h"
#include "synth/text_layout.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

enum LevelIndex { kPairs, kTable, kBeside, kBars2, kBars3, kBars4, kBars, kLine, kPie };

struct Mark {
  std::string name;
  int value = 0;
  Colour colour = Colour::kBlue;
  Rgb shade;
};

struct Chart {
  std::vector<Mark> marks;
  bool printed = false;  ///< the values can be read
  bool coloured = false; ///< every mark has a colour of its own
  int level = 0;

  const char* thing() const {
    return level == kPairs || level == kTable ? "entry" : level == kLine ? "point" : level == kPie ? "slice" : "bar";
  }
};

const Mark& extreme(const Chart& chart, bool highest) {
  return *std::max_element(chart.marks.begin(), chart.marks.end(),
                           [&](const Mark& a, const Mark& b) { return highest ? a.value < b.value : a.value > b.value; });
}

std::vector<std::string> names_of(const Chart& chart) {
  std::vector<std::string> names;
  for (const Mark& mark : chart.marks) names.push_back(mark.name);
  return names;
}

std::vector<std::string> values_of(const Chart& chart) {
  std::vector<std::string> values;
  for (const Mark& mark : chart.marks) values.push_back(std::to_string(mark.value));
  return values;
}

Question ask_extreme(Rng& rng, const Chart& chart, bool highest) {
  Question q;
  const Slots slots{{"t", chart.thing()}};
  q.text = highest ? say(rng, {"Which {t} is the highest?", "Which {t} is [highest|the tallest|the largest|the biggest]?", "What is the name of the highest {t}?",
                               "Which {t} has the [highest|largest|greatest|maximum] value?", "Which one has the highest value?", "Which label has the highest value?",
                               "Name the [highest|tallest|largest] {t}."},
                         slots)
                   : say(rng, {"Which {t} is the lowest?", "Which {t} is [lowest|the shortest|the smallest]?", "What is the name of the lowest {t}?",
                               "Which {t} has the [lowest|smallest|minimum] value?", "Which one has the lowest value?", "Name the [lowest|shortest|smallest] {t}."},
                         slots);
  q.answer = extreme(chart, highest).name;
  q.options = names_of(chart);
  return q;
}

std::optional<Question> ask_extreme_value(Rng& rng, const Chart& chart) {
  if (!chart.printed || chart.marks.size() < 2) return std::nullopt;
  Question q;
  const bool highest = rng.chance(0.6);
  q.query = {{"extreme", highest ? "highest" : "lowest"}};
  q.text = say(rng, {"What is the {e} value?", "What is the value of the {e} {t}?", "What value does the {e} {t} have?", "How high is the {e} value?"},
               {{"e", highest ? rng.pick({"highest", "highest", "largest", "maximum"}) : rng.pick({"lowest", "lowest", "smallest", "minimum"})}, {"t", chart.thing()}});
  q.answer = std::to_string(extreme(chart, highest).value);
  q.options = values_of(chart);
  return q;
}

std::optional<Question> ask_values(Rng& rng, const Chart& chart, bool with_names) {
  if (!chart.printed) return std::nullopt;
  Question q;
  const bool down = chart.level <= kBeside;
  if (with_names) {
    q.text = say(rng, {"List all names with their values.", "List every {t} with its value.", "Read the chart.", "What are the names and [their |]values?", "Which values belong to which names?",
                       "Read all labels and values."},
                 {{"t", chart.thing()}});
    for (const Mark& mark : chart.marks) q.answer += fmt::format("{}{} {}", q.answer.empty() ? "" : ", ", mark.name, mark.value);
  } else {
    q.text = say(rng, {"List the values {o}.", "What are the values {o}?", "Which values are shown?", "Read all values {o}.", "List all values.", "What values do the {t}s have?"},
                 {{"o", down ? "from top to bottom" : chart.level == kPie ? "clockwise from the top" : "from left to right"}, {"t", chart.level <= kTable ? "line" : chart.thing()}});
    q.answer = join_words(values_of(chart), ", ");
  }
  return q;
}

std::optional<Question> ask_value(Rng& rng, const Chart& chart) {
  if (!chart.printed) return std::nullopt;
  const Mark& mark = rng.pick(chart.marks);
  Question q;
  q.query = {{"name", mark.name}};
  q.text = say(rng, {"What is the value of {n}?", "What is the value of [{t} |the {t} ]{n}?", "What value does {n} have?", "How much is {n}?", "Which value is shown for {n}?",
                     "What number belongs to {n}?", "[Read|Give|Tell me] the value of {n}.", "{n}: what is its value?", "How high is {n}?"},
               {{"n", mark.name}, {"t", chart.thing()}});
  q.answer = std::to_string(mark.value);
  q.options = values_of(chart);
  return q;
}

std::optional<Question> ask_which(Rng& rng, const Chart& chart) {
  if (!chart.printed) return std::nullopt;
  const Mark& mark = rng.pick(chart.marks);
  Question q;
  q.query = {{"value", std::to_string(mark.value)}};
  q.text = say(rng, {"Which {t} has the value {v}?", "Which name has the value {v}?", "What has the value {v}?", "Whose value is {v}?", "Which {t} is at {v}?"},
               {{"v", std::to_string(mark.value)}, {"t", chart.thing()}});
  q.answer = mark.name;
  q.options = names_of(chart);
  return q;
}

std::optional<Question> ask_compare(Rng& rng, const Chart& chart, bool yes_no) {
  if (chart.marks.size() < 2) return std::nullopt;
  const size_t i = static_cast<size_t>(rng.below(static_cast<int>(chart.marks.size())));
  const size_t j = (i + 1 + static_cast<size_t>(rng.below(static_cast<int>(chart.marks.size()) - 1))) % chart.marks.size();
  const Mark &a = chart.marks[i], &b = chart.marks[j];
  const bool higher = rng.chance(0.7);
  Question q;
  q.query = {{"a", a.name}, {"b", b.name}, {"relation", higher ? "higher" : "lower"}};
  const Slots slots{{"a", a.name}, {"b", b.name}, {"r", higher ? rng.pick({"higher", "higher", "larger", "greater"}) : rng.pick({"lower", "lower", "smaller"})}};
  const bool first = higher ? a.value > b.value : a.value < b.value;
  q.text = yes_no ? say(rng, {"Is {a} {r} than {b}?", "Is the value of {a} {r} than the value of {b}?", "Does {a} have a {r} value than {b}?"}, slots)
                  : say(rng, {"Which is {r}, {a} or {b}?", "Which one is {r}, {a} or {b}?", "Which has the {r} value, {a} or {b}?", "{a} or {b}: which is {r}?"}, slots);
  q.answer = yes_no ? (first ? "yes" : "no") : (first ? a.name : b.name);
  q.options = yes_no ? std::vector<std::string>{"yes", "no"} : std::vector<std::string>{a.name, b.name};
  return q;
}

std::optional<Question> ask_difference(Rng& rng, const Chart& chart) {
  if (!chart.printed || chart.marks.size() < 2) return std::nullopt;
  const size_t i = static_cast<size_t>(rng.below(static_cast<int>(chart.marks.size()))), j = (i + 1) % chart.marks.size();
  const Mark &a = chart.marks[i], &b = chart.marks[j];
  Question q;
  q.query = {{"a", a.name}, {"b", b.name}};
  q.text = say(rng, {"What is the difference between {a} and {b}?", "By how much do {a} and {b} differ?", "How far apart are {a} and {b}?"}, {{"a", a.name}, {"b", b.name}});
  q.answer = std::to_string(std::abs(a.value - b.value));
  return q;
}

Question ask_count(Rng& rng, const Chart& chart) {
  Question q;
  const std::string things = chart.level <= kTable ? "entries" : std::string(chart.thing()) + "s";
  q.text = say(rng, {"How many {t} are there?", "How many {t} does the chart have?", "How many {t} are shown?", "Count the {t}.", "How many {t} do you see?"}, {{"t", things}});
  q.answer = std::to_string(chart.marks.size());
  q.options = number_options(1, 6);
  return q;
}

std::optional<Question> ask_colour(Rng& rng, const Chart& chart) {
  if (!chart.coloured) return std::nullopt;
  const Mark& mark = rng.pick(chart.marks);
  Question q;
  q.query = {{"name", mark.name}};
  q.text = say(rng, {"What colour is {n}?", "What colour is the {t} {n}?", "Which colour does {n} have?", "What is the colour of {n}?"}, {{"n", mark.name}, {"t", chart.thing()}});
  q.answer = name_of(mark.colour);
  q.options = colour_options();
  return q;
}

// ---- what is in it ----

Chart choose_chart(Rng& rng, const Request& request) {
  Chart chart;
  chart.level = request.level;
  const Split split = request.options.split;
  const int n = request.level == kPairs || request.level == kTable || request.level == kBeside ? rng.between(1, 4)
                : request.level == kBars2 ? 2
                : request.level == kBars3 ? rng.between(2, 3)
                : request.level == kBars4 ? rng.between(2, 4)
                : request.level == kLine  ? rng.between(3, 5)
                                          : rng.between(2, 5);
  const int count = std::max(n, request.leads("highest") || request.leads("lowest") || request.leads("highest_value") || request.leads("compare") || request.leads("compare_check") || request.leads("difference") ? 2 : 1);
  const double style = rng.real();
  const bool letters = style < (request.level <= kBars4 ? 0.6 : 0.3);
  const bool months = !letters && rng.chance(0.15);
  constexpr std::string_view month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const bool small = rng.chance(0.5);  // 1 … 12, else to 99
  while (static_cast<int>(chart.marks.size()) < count) {
    Mark mark;
    const Split word_split = split == Split::kHeldout && !chart.marks.empty() && rng.chance(0.5) ? Split::kAll : split;
    if (letters) mark.name = std::string(1, static_cast<char>('A' + rng.below(rng.chance(0.5) ? 8 : 26)));
    else if (months) mark.name = month_names[rng.below(12)];
    else mark.name = rng.chance(0.3) ? std::string(rng.pick(first_names())) : pick_word(rng, word_split);
    if (!letters && !months && rng.chance(0.7)) mark.name = capitalised(mark.name);
    if (mark.name.size() > 6 || (!letters && !obeys(mark.name, word_split == Split::kHeldout && months ? Split::kAll : word_split))) continue;
    mark.value = small ? rng.between(1, kMaxNumber) : rng.between(1, 99);
    // Heights must be told apart by eye, values by reading.
    const bool far = std::all_of(chart.marks.begin(), chart.marks.end(), [&](const Mark& other) {
      return other.name != mark.name && std::abs(other.value - mark.value) >= (small ? 1 : 6);
    });
    if (far) chart.marks.push_back(std::move(mark));
  }
  if (letters && rng.chance(0.5)) {  // in the order of the alphabet, as most charts are
    std::vector<std::string> names = names_of(chart);
    std::sort(names.begin(), names.end());
    for (size_t i = 0; i < names.size(); ++i) chart.marks[i].name = names[i];
  }
  const bool wants_values = request.leads("value") || request.leads("values") || request.leads("pairs") || request.leads("which") || request.leads("highest_value") || request.leads("difference");
  chart.printed = request.level <= kBeside || wants_values || rng.chance(0.65);
  chart.coloured = request.level == kPie || request.leads("colour") || (request.level >= kBeside && request.level <= kBars && rng.chance(0.4));
  return chart;
}

bool choose_colours(Rng& rng, Chart& chart, const Background& background) {
  std::vector<Colour> used;
  for (Mark& mark : chart.marks) {
    bool found = false;
    for (int attempt = 0; attempt < 60 && !found; ++attempt) {
      mark.colour = chart.coloured || used.empty() ? static_cast<Colour>(rng.below(kColours)) : used[0];
      if (chart.coloured && std::find(used.begin(), used.end(), mark.colour) != used.end()) continue;
      if (!chart.coloured && !used.empty()) {
        mark.shade = chart.marks[0].shade;
        found = true;
        break;
      }
      mark.shade = shade_of(mark.colour, rng);
      found = stands_out(mark.shade, background, 120);
    }
    if (!found) return false;
    used.push_back(mark.colour);
  }
  return true;
}

// ---- drawing ----

struct Pen {
  Canvas& canvas;
  ImageFacts& facts;
  Ink ink;
  void print(const std::string& type, const std::string& text, double x, double y) {
    add_text(facts, type, text, ink.colour_name, draw_text(canvas, static_cast<int>(std::lround(x)), static_cast<int>(std::lround(y)), text, ink.look));
  }
  int width(const std::string& text) const { return text_width(text, ink.look); }
  int height() const { return line_metrics(ink.look).height; }
};

Item mark_item(const Chart& chart, const Mark& mark, const Box& box) {
  return {chart.thing(), mark.name, std::string(name_of(mark.colour)), mark.value, -1, box};
}

Box box_of(double x, double y, double width, double height) {
  return {static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + width), static_cast<float>(y + height)};
}

struct Layout {
  int width = 0, height = 0;
};

// Sizes follow the labels, so that nothing collides.
std::optional<Layout> choose_layout(Rng& rng, const Request& request, const Chart& chart, const Ink& ink, int& widest) {
  const int line = line_metrics(ink.look).height, n = static_cast<int>(chart.marks.size());
  int widest_value = 0;
  widest = 0;
  for (const Mark& mark : chart.marks) {
    widest = std::max(widest, text_width(mark.name, ink.look));
    widest_value = std::max(widest_value, text_width(std::to_string(mark.value), ink.look));
  }
  Layout layout;
  if (chart.level <= kTable) {
    layout = {widest + widest_value + rng.between(30, 70), n * (line + rng.between(2, 9)) + rng.between(8, 30)};
  } else if (chart.level == kBeside) {
    layout = {widest + widest_value + rng.between(80, 160), n * (line + rng.between(4, 12)) + rng.between(12, 30)};
  } else if (chart.level == kPie) {
    const int room = rng.between(90, 170);
    layout = {room + 2 * widest + 24, room + 2 * line * (chart.printed ? 2 : 1) + 16};
  } else {
    const int slot = std::max({widest, widest_value, 18}) + rng.between(6, 20);
    layout = {n * slot + rng.between(14, 40), rng.between(90, 190) + 2 * line};
  }
  const SynthOptions& options = request.options;
  if (rng.chance(0.5)) layout = {(layout.width + 27) / 28 * 28, (layout.height + 27) / 28 * 28};
  layout.width = std::max(layout.width, options.min_side);
  layout.height = std::max(layout.height, options.min_side);
  if (layout.width > options.max_side || layout.height > options.max_side) return std::nullopt;
  return layout;
}

void draw_pairs(Rng& rng, Pen& pen, const Chart& chart, int widest) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double pitch = std::max<double>(line, (pen.canvas.height() - 8.0) / n * rng.real(0.7, 1.0));
  const bool table = chart.level == kTable, colon = !table && !rng.chance(0.2);
  const int gap = table ? rng.between(10, 20) : 0;
  int widest_value = 0;
  for (const Mark& mark : chart.marks) widest_value = std::max(widest_value, pen.width(std::to_string(mark.value)));
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
    if (rules) pen.canvas.line(x - 2, std::floor(y) + 0.5, x + widest + gap + widest_value + 4, std::floor(y) + 0.5, pen.ink.look.colour, 1);
  }
  if (rules) {
    pen.canvas.stroke_rectangle(x - 2.5, std::floor(top) + 0.5, widest + gap + widest_value + 7, std::floor(y) - std::floor(top), pen.ink.look.colour, 1);
    pen.canvas.line(std::floor(x + widest + gap / 2.0) + 0.5, top, std::floor(x + widest + gap / 2.0) + 0.5, y, pen.ink.look.colour, 1);
  }
}

void draw_beside(Rng& rng, Pen& pen, const Chart& chart, int widest) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double pitch = (pen.canvas.height() - 10.0) / n, thick = pitch * rng.real(0.4, 0.75);
  int widest_value = 0;
  for (const Mark& mark : chart.marks) widest_value = std::max(widest_value, pen.width(std::to_string(mark.value)));
  const bool next_to_name = rng.chance(0.6);  // "A 7 |====", or the value at the end of its bar
  const double axis = 6 + widest + (next_to_name ? widest_value + 14 : 6);
  const double room = pen.canvas.width() - axis - (next_to_name ? 6 : widest_value + 8);
  const double scale = room / extreme(chart, true).value;
  for (int i = 0; i < n; ++i) {
    const Mark& mark = chart.marks[static_cast<size_t>(i)];
    const double y = 5 + pitch * i, length = std::max(1.0, mark.value * scale), text_y = y + (pitch - line) / 2;
    pen.canvas.fill_rectangle(axis, y + (pitch - thick) / 2, length, thick, mark.shade);
    pen.facts.items.push_back(mark_item(chart, mark, box_of(axis, y + (pitch - thick) / 2, length, thick)));
    pen.print("key", mark.name, 4, text_y);
    pen.print("value", std::to_string(mark.value), next_to_name ? 4 + widest + 8 : axis + length + 3, text_y);
  }
  if (rng.chance(0.6)) pen.canvas.line(axis - 0.5, 3, axis - 0.5, pen.canvas.height() - 3, pen.ink.look.colour, 1);
}

void draw_columns(Rng& rng, Pen& pen, const Chart& chart) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double left = 6, right = pen.canvas.width() - 6, top = line + 5, bottom = pen.canvas.height() - line - 4;
  const double slot = (right - left) / n, thick = slot * rng.real(0.4, 0.8), scale = (bottom - top) / extreme(chart, true).value;
  if (rng.chance(0.3)) {
    for (int i = 1; i < 5; ++i) pen.canvas.line(left, std::floor(bottom - (bottom - top) * i / 4) + 0.5, right, std::floor(bottom - (bottom - top) * i / 4) + 0.5, {200, 200, 200}, 1);
  }
  const bool outline = rng.chance(0.3), inside = chart.level >= kBars && rng.chance(0.15);
  for (int i = 0; i < n; ++i) {
    const Mark& mark = chart.marks[static_cast<size_t>(i)];
    const double centre = left + slot * (i + 0.5), height = std::max(1.0, mark.value * scale), x = centre - thick / 2;
    pen.canvas.fill_rectangle(x, bottom - height, thick, height, mark.shade);
    if (outline) pen.canvas.stroke_rectangle(std::floor(x) + 0.5, std::floor(bottom - height) + 0.5, thick, height, pen.ink.look.colour, 1);
    pen.facts.items.push_back(mark_item(chart, mark, box_of(x, bottom - height, thick, height)));
    pen.print("key", mark.name, centre - pen.width(mark.name) / 2.0, bottom + 2);
    if (!chart.printed) continue;
    const std::string value = std::to_string(mark.value);
    const bool fits = inside && height > line + 4 && thick > pen.width(value) + 2 && distance(mark.shade, pen.ink.look.colour) > 220;
    pen.print("value", value, centre - pen.width(value) / 2.0, fits ? bottom - height + 2 : bottom - height - line - 1);
  }
  pen.canvas.line(left, std::floor(bottom) + 0.5, right, std::floor(bottom) + 0.5, pen.ink.look.colour, rng.chance(0.8) ? 1 : 2);
  if (rng.chance(0.4)) pen.canvas.line(left + 0.5, top - 2, left + 0.5, bottom, pen.ink.look.colour, 1);
}

void draw_line(Rng& rng, Pen& pen, const Chart& chart) {
  const int n = static_cast<int>(chart.marks.size()), line = pen.height();
  const double left = 6, right = pen.canvas.width() - 6, top = line + 6, bottom = pen.canvas.height() - line - 6;
  const double slot = (right - left) / n, scale = (bottom - top - 4) / extreme(chart, true).value, radius = rng.real(2, 4);
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
    if (chart.printed) pen.print("value", value, x - pen.width(value) / 2.0, y - line - radius - 1);
  }
  pen.canvas.line(left, std::floor(bottom) + 0.5, right, std::floor(bottom) + 0.5, pen.ink.look.colour, 1);
  pen.canvas.line(left + 0.5, top - 2, left + 0.5, bottom, pen.ink.look.colour, 1);
}

void draw_pie(Rng& rng, Pen& pen, const Chart& chart, int widest) {
  const int line = pen.height();
  const double cx = pen.canvas.width() / 2.0, cy = pen.canvas.height() / 2.0;
  const double label_height = chart.printed ? 2 * line : line;
  const double radius = std::max(16.0, std::min(cx - widest - 8, cy - label_height - 4));
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
    const double edge_x = cx + std::cos(middle) * (radius + 5), edge_y = cy + std::sin(middle) * (radius + 5);
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

bool make(Rng& rng, const Request& request, Sample& sample) {
  Chart chart = choose_chart(rng, request);
  const SynthOptions& options = request.options;
  if (chart.level == kPie) {  // a slice too thin has no room for its label
    int total = 0;
    for (const Mark& mark : chart.marks) total += mark.value;
    for (const Mark& mark : chart.marks) {
      if (mark.value * 100 < total * 9) return false;
    }
  } else if (chart.level >= kBeside) {
    const int most = extreme(chart, true).value;
    for (const Mark& a : chart.marks) {
      for (const Mark& b : chart.marks) {
        if (&a != &b && std::abs(a.value - b.value) * 100 < most * 6) return false;
      }
    }
  }
  const Background white{"white", {{255, 255, 255}}};
  auto ink = pick_ink(rng, options, 14, request.level <= kTable ? 22 : 18, false, white);
  if (!ink) return false;
  int widest = 0;
  const auto layout = choose_layout(rng, request, chart, *ink, widest);
  if (!layout) return false;
  Canvas canvas(layout->width, layout->height);
  Background background = paint_background(canvas, rng, std::min(options.background_level, rng.chance(0.85) ? 1 : 2));
  if (rng.chance(0.55)) {
    canvas.fill_rectangle(0, 0, canvas.width(), canvas.height(), {255, 255, 255});
    background = white;
  }
  const auto fitting = pick_ink(rng, options, 14, 14, false, background);
  if (!fitting || !choose_colours(rng, chart, background)) return false;
  ink->look.colour = fitting->look.colour;
  ink->colour_name = fitting->colour_name;
  ImageFacts facts{canvas.width(), canvas.height(), background.name, {}};
  canvas.set_antialias(!rng.chance(0.3));
  Pen pen{canvas, facts, *ink};
  if (chart.level <= kTable) draw_pairs(rng, pen, chart, widest);
  else if (chart.level == kBeside) draw_beside(rng, pen, chart, widest);
  else if (chart.level == kLine) draw_line(rng, pen, chart);
  else if (chart.level == kPie) draw_pie(rng, pen, chart, widest);
  else draw_columns(rng, pen, chart);
  for (const Item& item : facts.items) {  // a label cut off at the edge cannot be read
    if (item.type == "char" && (item.box.x0 < 0 || item.box.y0 < 0 || item.box.x1 > static_cast<float>(canvas.width()) || item.box.y1 > static_cast<float>(canvas.height()))) return false;
  }
  sample.facts.images.push_back(std::move(facts));
  sample.frames.push_back(canvas.to_frame());
  degrade_images(rng, options, Frailty::kText, sample.frames);
  for (size_t i = 0; i < chart.marks.size(); ++i) {
    sample.facts.fields[chart.marks[i].name] = std::to_string(chart.marks[i].value);
    sample.facts.fields["#order"] += (i > 0 ? "," : "") + chart.marks[i].name;
  }
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) -> std::optional<Question> {
    if (kind == "highest" || kind == "lowest") return chart.marks.size() < 2 ? std::nullopt : std::optional(ask_extreme(r, chart, kind == "highest"));
    if (kind == "highest_value") return ask_extreme_value(r, chart);
    if (kind == "values") return ask_values(r, chart, false);
    if (kind == "pairs") return ask_values(r, chart, true);
    if (kind == "value") return ask_value(r, chart);
    if (kind == "which") return ask_which(r, chart);
    if (kind == "compare") return ask_compare(r, chart, false);
    if (kind == "compare_check") return ask_compare(r, chart, true);
    if (kind == "difference") return ask_difference(r, chart);
    if (kind == "colour") return ask_colour(r, chart);
    return ask_count(r, chart);
  });
}

}  // namespace

Family chart_family() {
  using enum AnswerForm;
  return {"chart",
          MediaType::kImage,
          {{"pairs", "\"A: 7\", one to four lines"},
           {"table", "a two-column table"},
           {"beside", "horizontal bars, the value printed beside the name or the bar"},
           {"bars2", "two columns, 14 px letters below, values mostly on top"},
           {"bars3", "2 or 3 columns"},
           {"bars4", "2 to 4 columns"},
           {"bars", "2 to 5 columns, words below"},
           {"line", "3 to 5 points"},
           {"pie", "2 to 5 slices, labels around"}},
          {{"highest", kExact, kPairs, kPie, "Which bar is the highest?"},
           {"lowest", kExact, kPairs, kPie, "Which bar is the lowest?"},
           {"values", kExact, kPairs, kPie, "List the values from left to right."},
           {"highest_value", kExact, kPairs, kPie, "What is the highest value?"},
           {"pairs", kExact, kPairs, kPie, "List all names with their values."},
           {"value", kExact, kPairs, kPie, "What is the value of A?"},
           {"which", kExact, kPairs, kPie, "Which bar has the value 7?"},
           {"compare", kExact, kPairs, kPie, "Which is higher, A or B?"},
           {"compare_check", kExact, kPairs, kPie, "Is A higher than B?"},
           {"difference", kExact, kPairs, kPie, "What is the difference between A and B?"},
           {"count", kExact, kPairs, kPie, "How many bars are there?"},
           {"colour", kExact, kBeside, kPie, "What colour is B?"}},
          make};
}

}  // namespace vl3::synth
