// chart.*: bars, lines and pies with printed labels; and, as steps towards the value of a named bar, the same
// numbers as pairs of text and as a table.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "synth/artefacts.h"
#include "synth/chart_drawing.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

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
  q.text =
      highest
          ? say(rng,
                {"Which {t} is the highest?", "Which {t} is [highest|the tallest|the largest|the biggest]?",
                 "What is the name of the highest {t}?",
                 "Which {t} has the [highest|largest|greatest|maximum] value?",
                 "Which one has the highest value?", "Which label has the highest value?",
                 "Name the [highest|tallest|largest] {t}."},
                slots)
          : say(rng,
                {"Which {t} is the lowest?", "Which {t} is [lowest|the shortest|the smallest]?",
                 "What is the name of the lowest {t}?", "Which {t} has the [lowest|smallest|minimum] value?",
                 "Which one has the lowest value?", "Name the [lowest|shortest|smallest] {t}."},
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
  q.text = say(rng,
               {"What is the {e} value?", "What is the value of the {e} {t}?",
                "What value does the {e} {t} have?", "How high is the {e} value?"},
               {{"e", highest ? rng.pick({"highest", "highest", "largest", "maximum"})
                              : rng.pick({"lowest", "lowest", "smallest", "minimum"})},
                {"t", chart.thing()}});
  q.answer = std::to_string(extreme(chart, highest).value);
  q.options = values_of(chart);
  return q;
}

std::optional<Question> ask_values(Rng& rng, const Chart& chart, bool with_names) {
  if (!chart.printed) return std::nullopt;
  Question q;
  const bool down = chart.level <= kBeside;
  if (with_names) {
    q.text = say(rng,
                 {"List all names with their values.", "List every {t} with its value.", "Read the chart.",
                  "What are the names and [their |]values?", "Which values belong to which names?",
                  "Read all labels and values."},
                 {{"t", chart.thing()}});
    for (const Mark& mark : chart.marks)
      q.answer += fmt::format("{}{} {}", q.answer.empty() ? "" : ", ", mark.name, mark.value);
  } else {
    q.text = say(rng,
                 {"List the values {o}.", "What are the values {o}?", "Which values are shown?",
                  "Read all values {o}.", "List all values.", "What values do the {t}s have?"},
                 {{"o", down                  ? "from top to bottom"
                        : chart.level == kPie ? "clockwise from the top"
                                              : "from left to right"},
                  {"t", chart.level <= kTable ? "line" : chart.thing()}});
    q.answer = join_words(values_of(chart), ", ");
  }
  return q;
}

std::optional<Question> ask_value(Rng& rng, const Chart& chart) {
  if (!chart.printed) return std::nullopt;
  const Mark& mark = rng.pick(chart.marks);
  Question q;
  q.query = {{"name", mark.name}};
  q.text = say(
      rng,
      {"What is the value of {n}?", "What is the value of [{t} |the {t} ]{n}?", "What value does {n} have?",
       "How much is {n}?", "Which value is shown for {n}?", "What number belongs to {n}?",
       "[Read|Give|Tell me] the value of {n}.", "{n}: what is its value?", "How high is {n}?"},
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
  q.text = say(rng,
               {"Which {t} has the value {v}?", "Which name has the value {v}?", "What has the value {v}?",
                "Whose value is {v}?", "Which {t} is at {v}?"},
               {{"v", std::to_string(mark.value)}, {"t", chart.thing()}});
  q.answer = mark.name;
  q.options = names_of(chart);
  return q;
}

std::optional<Question> ask_compare(Rng& rng, const Chart& chart, bool yes_no) {
  if (chart.marks.size() < 2) return std::nullopt;
  const size_t i = static_cast<size_t>(rng.below(static_cast<int>(chart.marks.size())));
  const size_t j =
      (i + 1 + static_cast<size_t>(rng.below(static_cast<int>(chart.marks.size()) - 1))) % chart.marks.size();
  const Mark &a = chart.marks[i], &b = chart.marks[j];
  const bool higher = rng.chance(0.7);
  Question q;
  q.query = {{"a", a.name}, {"b", b.name}, {"relation", higher ? "higher" : "lower"}};
  const Slots slots{{"a", a.name},
                    {"b", b.name},
                    {"r", higher ? rng.pick({"higher", "higher", "larger", "greater"})
                                 : rng.pick({"lower", "lower", "smaller"})}};
  const bool first = higher ? a.value > b.value : a.value < b.value;
  q.text = yes_no ? say(rng,
                        {"Is {a} {r} than {b}?", "Is the value of {a} {r} than the value of {b}?",
                         "Does {a} have a {r} value than {b}?"},
                        slots)
                  : say(rng,
                        {"Which is {r}, {a} or {b}?", "Which one is {r}, {a} or {b}?",
                         "Which has the {r} value, {a} or {b}?", "{a} or {b}: which is {r}?"},
                        slots);
  q.answer = yes_no ? (first ? "yes" : "no") : (first ? a.name : b.name);
  q.options = yes_no ? std::vector<std::string>{"yes", "no"} : std::vector<std::string>{a.name, b.name};
  return q;
}

std::optional<Question> ask_difference(Rng& rng, const Chart& chart) {
  if (!chart.printed || chart.marks.size() < 2) return std::nullopt;
  const size_t i = static_cast<size_t>(rng.below(static_cast<int>(chart.marks.size()))),
               j = (i + 1) % chart.marks.size();
  const Mark &a = chart.marks[i], &b = chart.marks[j];
  Question q;
  q.query = {{"a", a.name}, {"b", b.name}};
  q.text = say(rng,
               {"What is the difference between {a} and {b}?", "By how much do {a} and {b} differ?",
                "How far apart are {a} and {b}?"},
               {{"a", a.name}, {"b", b.name}});
  q.answer = std::to_string(std::abs(a.value - b.value));
  return q;
}

Question ask_count(Rng& rng, const Chart& chart) {
  Question q;
  const std::string things = chart.level <= kTable ? "entries" : std::string(chart.thing()) + "s";
  q.text = say(rng,
               {"How many {t} are there?", "How many {t} does the chart have?", "How many {t} are shown?",
                "Count the {t}.", "How many {t} do you see?"},
               {{"t", things}});
  q.answer = std::to_string(chart.marks.size());
  q.options = number_options(1, 6);
  return q;
}

std::optional<Question> ask_colour(Rng& rng, const Chart& chart) {
  if (!chart.coloured) return std::nullopt;
  const Mark& mark = rng.pick(chart.marks);
  Question q;
  q.query = {{"name", mark.name}};
  q.text = say(rng,
               {"What colour is {n}?", "What colour is the {t} {n}?", "Which colour does {n} have?",
                "What is the colour of {n}?"},
               {{"n", mark.name}, {"t", chart.thing()}});
  q.answer = name_of(mark.colour);
  q.options = colour_options();
  return q;
}

// ---- what is in it ----

Chart choose_chart(Rng& rng, const Request& request) {
  Chart chart;
  chart.level = request.level;
  const Split split = request.options.split;
  const int n = request.level == kPairs || request.level == kTable || request.level == kBeside
                    ? rng.between(1, 4)
                : request.level == kBars2 ? 2
                : request.level == kBars3 ? rng.between(2, 3)
                : request.level == kBars4 ? rng.between(2, 4)
                : request.level == kLine  ? rng.between(3, 5)
                                          : rng.between(2, 5);
  const int count = std::max(n, request.leads("highest") || request.leads("lowest") ||
                                        request.leads("highest_value") || request.leads("compare") ||
                                        request.leads("compare_check") || request.leads("difference")
                                    ? 2
                                    : 1);
  const double style = rng.real();
  const bool letters = style < (request.level <= kBars4 ? 0.6 : 0.3);
  const bool months = !letters && rng.chance(0.15);
  constexpr std::string_view month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const bool small = rng.chance(0.5);  // 1 … 12, else to 99
  while (static_cast<int>(chart.marks.size()) < count) {
    Mark mark;
    const Split word_split =
        split == Split::kHeldout && !chart.marks.empty() && rng.chance(0.5) ? Split::kAll : split;
    if (letters)
      mark.name = std::string(1, static_cast<char>('A' + rng.below(rng.chance(0.5) ? 8 : 26)));
    else if (months)
      mark.name = month_names[rng.below(12)];
    else
      mark.name = rng.chance(0.3) ? std::string(rng.pick(first_names())) : pick_word(rng, word_split);
    if (!letters && !months && rng.chance(0.7)) mark.name = capitalised(mark.name);
    if (mark.name.size() > 6 ||
        (!letters && !obeys(mark.name, word_split == Split::kHeldout && months ? Split::kAll : word_split)))
      continue;
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
  const bool wants_values = request.leads("value") || request.leads("values") || request.leads("pairs") ||
                            request.leads("which") || request.leads("highest_value") ||
                            request.leads("difference");
  chart.printed = request.level <= kBeside || wants_values || rng.chance(0.65);
  chart.coloured = request.level == kPie || request.leads("colour") ||
                   (request.level >= kBeside && request.level <= kBars && rng.chance(0.4));
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
  const auto layout = choose_chart_layout(rng, options, chart, *ink);
  if (!layout) return false;
  Canvas canvas(layout->width, layout->height);
  Background background =
      paint_background(canvas, rng, std::min(options.background_level, rng.chance(0.85) ? 1 : 2));
  if (rng.chance(0.55)) {
    canvas.fill_rectangle(0, 0, canvas.width(), canvas.height(), {255, 255, 255});
    background = white;
  }
  const auto fitting = pick_ink(rng, options, 14, 14, false, background);
  if (!fitting || !choose_colours(rng, chart, background)) return false;
  ink->look.colour = fitting->look.colour;
  ink->colour_name = fitting->colour_name;
  ImageFacts facts{canvas.width(), canvas.height(), background.name, {}};
  if (!draw_chart(rng, canvas, facts, *ink, chart, *layout)) return false;
  sample.facts.images.push_back(std::move(facts));
  sample.frames.push_back(canvas.to_frame());
  degrade_images(rng, options, Frailty::kText, sample.frames);
  for (size_t i = 0; i < chart.marks.size(); ++i) {
    sample.facts.fields[chart.marks[i].name] = std::to_string(chart.marks[i].value);
    sample.facts.fields["#order"] += (i > 0 ? "," : "") + chart.marks[i].name;
  }
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) -> std::optional<Question> {
    if (kind == "highest" || kind == "lowest")
      return chart.marks.size() < 2 ? std::nullopt : std::optional(ask_extreme(r, chart, kind == "highest"));
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
