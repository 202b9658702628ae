#include "synth/clip_questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "synth/captions.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

std::string name_of(const ClipObject& object) { return object.colour + " " + object.shape; }

// The two of a clip never share a colour or a shape, so each alone names an object.
std::string refer(Rng& rng, const ClipObject& object, bool colour_too = true) {
  const double roll = rng.real();
  return roll < 0.55                ? object.shape
         : roll < 0.7 && colour_too ? object.colour + " " + rng.pick({"shape", "object"})
         : colour_too               ? name_of(object)
                                    : object.shape;
}

std::vector<std::string> object_names(const Facts& facts) {
  std::vector<std::string> names;
  for (const ClipObject& object : facts.objects) names.push_back(name_of(object));
  return names;
}

// "red circle", or its shape or colour where the question asks for that only.
Question which_object(Rng& rng, const Facts& facts, const ClipObject& object, const std::string& verb,
                      const std::vector<std::string_view>& what) {
  Question q;
  const double roll = rng.real();
  if (roll < 0.7) {
    q.text = say(rng, what);
    q.answer = name_of(object);
    q.accepted = {object.shape};
    q.options = object_names(facts);
  } else if (roll < 0.85) {
    q.query["attribute"] = "shape";
    q.text = say(rng, {"Which shape {v}?", "What shape {v}?", "What is the shape that {v}?"}, {{"v", verb}});
    q.answer = object.shape;
    q.accepted = {name_of(object)};
    for (const ClipObject& o : facts.objects) q.options.push_back(o.shape);
  } else {
    q.query["attribute"] = "colour";
    q.text = say(rng,
                 {"What colour is the shape that {v}?", "Which colour is the shape that {v}?",
                  "What colour is the object that {v}?"},
                 {{"v", verb}});
    q.answer = object.colour;
    for (const ClipObject& o : facts.objects) q.options.push_back(o.colour);
  }
  return q;
}

std::optional<Question> ask_direction(Rng& rng, const Scenario& s) {
  if (s.script != Script::kMove) return std::nullopt;
  Question q;
  const std::string who = refer(rng, s.lead());
  q.query = {{"a", name_of(s.lead())}};
  q.text = say(rng,
               {"In which direction does the {a} move?", "Which way does the {a} [move|go]?",
                "In what direction does the {a} move?", "Where does the {a} move?",
                "Does the {a} move left, right, up or down?", "What is the direction of the {a}?",
                "Which direction is the {a} moving?", "In which direction is the {a} moving?"},
               {{"a", who}});
  q.answer = s.facts.events[0].to;
  q.accepted = {"to the " + q.answer, q.answer == "up"     ? "upwards"
                                      : q.answer == "down" ? "downwards"
                                                           : q.answer + "wards"};
  q.options = {"left", "right", "up", "down"};
  return q;
}

std::optional<Question> ask_moves(Rng& rng, const Scenario& s) {
  if (s.script != Script::kMove) return std::nullopt;
  return which_object(rng, s.facts, s.lead(), "moves",
                      {"What moves?", "What is moving?", "Which object [moves|is moving]?",
                       "What [object |thing |]moves in the [video|clip]?", "Which shape is moving?"});
}

std::optional<Question> ask_order(Rng& rng, const Scenario& s, std::string_view kind) {
  if (!s.ordered()) return std::nullopt;
  const auto& objects = s.facts.objects;
  const int n = static_cast<int>(objects.size());
  if (kind == "first") {
    return which_object(rng, s.facts, objects.front(), "appears first",
                        {"What appears first?", "What is the first thing to appear?",
                         "Which object appears first?", "What comes first?",
                         "What [do you see|is shown] first?", "What appears first in the [video|clip]?"});
  }
  if (kind == "last") {
    return which_object(
        rng, s.facts, objects.back(), "appears last",
        {"What appears last?", "What is the last thing to appear?", "Which object appears last?",
         "What comes last?", "What appears last in the [video|clip]?"});
  }
  const bool after = kind == "after";
  const int other = after ? rng.below(n - 1) : rng.between(1, n - 1);
  const ClipObject &known = objects[static_cast<size_t>(other)],
                   &asked = objects[static_cast<size_t>(other + (after ? 1 : -1))];
  Question q;
  q.query = {{after ? "after" : "before", name_of(known)}};
  q.text = after ? say(rng,
                       {"What appears after the {a}?", "What appears right after the {a}?",
                        "What comes after the {a}?", "Which object appears next after the {a}?",
                        "What is the next thing to appear after the {a}?"},
                       {{"a", refer(rng, known)}})
                 : say(rng,
                       {"What appears before the {a}?", "What appears right before the {a}?",
                        "What comes just before the {a}?", "Which object appears right before the {a}?"},
                       {{"a", refer(rng, known)}});
  q.answer = name_of(asked);
  q.accepted = {asked.shape};
  q.options = object_names(s.facts);
  return q;
}

std::optional<Question> ask_appears(Rng& rng, const Scenario& s, bool appears) {
  if (s.script != (appears ? Script::kAppear : Script::kVanish)) return std::nullopt;
  return appears ? which_object(rng, s.facts, s.lead(), "appears",
                                {"What appears?", "Which object appears?",
                                 "What [appears|shows up] in the [video|clip]?", "What new shape appears?",
                                 "What is added?"})
                 : which_object(rng, s.facts, s.lead(), "disappears",
                                {"What disappears?", "Which object disappears?", "What vanishes?",
                                 "What goes away?", "What disappears in the [video|clip]?"});
}

std::optional<Question> ask_colour_change(Rng& rng, const Scenario& s, std::string_view kind) {
  if (s.script != Script::kColour) return std::nullopt;
  const Event& event = s.facts.events[0];
  const std::string& shape = s.lead().shape;
  Question q;
  q.query = {{"shape", shape}};
  q.options = colour_options();
  const Slots slots{{"s", shape}};
  if (kind == "colour_from") {
    q.text =
        say(rng,
            {"What colour is the {s} at first?", "What colour is the {s} at the beginning?",
             "What colour does the {s} have at the start?", "What is the initial colour of the {s}?",
             "What was the colour of the {s} before it changed?", "Which colour does the {s} change from?"},
            slots);
    q.answer = event.from;
  } else if (kind == "colour_to") {
    q.text = say(rng,
                 {"What colour is the {s} at the end?", "What colour does the {s} become?",
                  "What colour does the {s} change to?", "What is the final colour of the {s}?",
                  "Which colour does the {s} turn?", "What colour is the {s} after the change?"},
                 slots);
    q.answer = event.to;
  } else {
    q.query.clear();
    q.text = say(rng, {"What changes its colour?", "Which shape changes [its |]colour?",
                       "Which object changes [its |]colour?", "What shape changes its colour?"});
    q.answer = shape;
    q.options.clear();
    for (const ClipObject& object : s.facts.objects) q.options.push_back(object.shape);
  }
  return q;
}

std::optional<Question> ask_flashes(Rng& rng, const Scenario& s) {
  if (s.script != Script::kFlash) return std::nullopt;
  Question q;
  q.query = {{"a", name_of(s.lead())}};
  q.text = say(rng,
               {"How many times does the {a} flash?", "How often does the {a} flash?",
                "How many times does the {a} appear?", "How many flashes are there?",
                "Count the flashes of the {a}.", "How many times can you see the {a} flash?"},
               {{"a", refer(rng, s.lead())}});
  q.answer = std::to_string(s.facts.events.size());
  q.options = number_options(1, std::max(4, static_cast<int>(s.facts.images.size()) / 2));
  return q;
}

std::optional<Question> ask_state(Rng& rng, const Scenario& s) {
  const int steps = static_cast<int>(std::lround(s.facts.duration_s / s.step_s));
  const double time_s = rng.below(steps) * s.step_s;
  const std::string time =
      rng.chance(0.7) ? fmt::format("{:.1f} s", time_s) : fmt::format("{:g} seconds", time_s);
  Question q;
  q.query = {{"time_s", fmt::format("{:.1f}", time_s)}};
  if (s.script == Script::kColour) {
    const Event& event = s.facts.events[0];
    q.query["shape"] = s.lead().shape;
    q.text = say(rng,
                 {"What colour is the {s} at {t}?", "Which colour does the {s} have at {t}?",
                  "At {t}, what colour is the {s}?"},
                 {{"s", s.lead().shape}, {"t", time}});
    q.answer = time_s < event.start_s - 1e-6 ? event.from : event.to;
    q.options = {event.from, event.to};
    return q;
  }
  if (s.script == Script::kSlides) {
    q.text = say(rng,
                 {"What is visible at {t}?", "What can you see at {t}?", "Which object is shown at {t}?",
                  "What is there at {t}?"},
                 {{"t", time}});
    for (const ClipObject& object : s.facts.objects) {
      if (time_s >= object.visible_from_s - 1e-6 && time_s < object.visible_to_s - 1e-6) {
        q.answer = name_of(object);
        q.accepted = {object.shape};
      }
    }
    q.options = object_names(s.facts);
    return q;
  }
  if (s.script == Script::kOrder || s.script == Script::kAppear || s.script == Script::kVanish) {
    const ClipObject& object = rng.pick(s.facts.objects);
    q.query["a"] = name_of(object);
    q.text = say(rng,
                 {"Is the {a} visible at {t}?", "Can you see the {a} at {t}?", "Is there a {a} at {t}?",
                  "At {t}, is the {a} visible?"},
                 {{"a", object.shape}, {"t", time}});
    q.answer = time_s >= object.visible_from_s - 1e-6 && time_s < object.visible_to_s - 1e-6 ? "yes" : "no";
    q.options = {"yes", "no"};
    return q;
  }
  return std::nullopt;
}

std::optional<Question> ask_when(Rng& rng, const Scenario& s) {
  Question q;
  double from_s = 0, to_s = 0;
  if (s.script == Script::kMove) {
    if (rng.chance(0.3) &&
        s.facts.events[0].end_s - s.facts.events[0].start_s > s.facts.duration_s - 1.5 * s.step_s)
      return std::nullopt;  // all the time
    q.query = {{"a", name_of(s.lead())}, {"event", "move"}};
    q.text = say(rng,
                 {"When does the {a} move?", "During which time does the {a} move?",
                  "In which time span does the {a} move?"},
                 {{"a", refer(rng, s.lead())}});
    from_s = s.facts.events[0].start_s, to_s = s.facts.events[0].end_s;
  } else if (s.script == Script::kColour) {
    const Event& event = s.facts.events[0];
    const bool before = rng.chance(0.5);
    q.query = {{"a", s.lead().shape}, {"event", before ? event.from : event.to}};
    q.text = say(
        rng,
        {"When is the {s} {c}?", "During which time is the {s} {c}?", "In which time span is the {s} {c}?"},
        {{"s", s.lead().shape}, {"c", before ? event.from : event.to}});
    from_s = before ? 0 : event.start_s, to_s = before ? event.start_s : s.facts.duration_s;
  } else if (s.script == Script::kFlash) {
    return std::nullopt;
  } else {
    const ClipObject& object = s.ordered() ? rng.pick(s.facts.objects) : s.lead();
    q.query = {{"a", name_of(object)}, {"event", "visible"}};
    q.text = say(rng,
                 {"When is the {a} visible?", "When can you see the {a}?",
                  "During which time is the {a} [visible|shown]?", "In which time span does the {a} appear?",
                  "From when to when is the {a} visible?", "When does the {a} appear in the video?",
                  "When is the {a} visible? Please output the start and end timestamps in seconds."},
                 {{"a", refer(rng, object)}});
    from_s = object.visible_from_s, to_s = object.visible_to_s;
  }
  q.answer = span_text(from_s, to_s);
  // A guesser says one of the spans on the grid of frame times.
  const int steps = std::min(16, static_cast<int>(std::lround(s.facts.duration_s / s.step_s)));
  for (int i = 0; i < steps; ++i) {
    for (int j = i + 1; j <= steps; ++j) q.options.push_back(span_text(i * s.step_s, j * s.step_s));
  }
  return q;
}

std::optional<Question> ask_attribute(Rng& rng, const Scenario& s, bool colour) {
  if (s.script == Script::kColour) return std::nullopt;
  const ClipObject& object = rng.pick(s.facts.objects);
  Question q;
  if (colour) {
    q.query = {{"shape", object.shape}};
    q.text = say(rng,
                 {"What colour is the {s}?", "Which colour is the {s}?", "What is the colour of the {s}?",
                  "What colour does the {s} have [in the video|]?"},
                 {{"s", object.shape}});
    q.answer = object.colour;
    q.options = colour_options();
  } else {
    q.query = {{"colour", object.colour}};
    q.text = say(rng,
                 {"What shape is the {c} [object|one]?", "What shape is {c}?", "Which shape is {c}?",
                  "What is the {c} object?"},
                 {{"c", object.colour}});
    q.answer = object.shape;
    q.options = shape_options();
  }
  return q;
}

Question ask_objects(Rng& rng, const Scenario& s) {
  Question q;
  q.text = say(rng, {"How many [shapes|different shapes] are there in the [video|clip]?",
                     "How many shapes [appear|are shown] in the [video|clip]?",
                     "How many different objects do you see?"});
  q.answer = std::to_string(s.facts.objects.size());
  q.options = number_options(1, 4);
  return q;
}

Question ask_caption(Rng& rng, const SynthOptions& options, const Scenario& s) {
  Question q;
  q.text = say(rng, {"Describe the video.", "What happens in [the|this] [video|clip]?",
                     "Describe what happens.", "What is happening in the video?", "Describe the clip.",
                     "Write a [caption|description] for the video."});
  q.answer = clip_caption(s.facts, options.detail_level);
  if (options.caption_noise > 0 && rng.chance(options.caption_noise)) {
    Facts wrong = s.facts;
    const std::string before = q.answer;
    while (q.answer == before) {
      ClipObject& object =
          wrong.objects[static_cast<size_t>(rng.below(static_cast<int>(wrong.objects.size())))];
      const std::string shape = object.shape;
      object.shape = rng.pick(shape_options());
      const auto pair = parse_shape({"shape", object.shape, object.colour, 0, -1, {}});
      if (!pair || !allowed(*pair, options.split)) object.shape = shape;
      q.answer = clip_caption(wrong, options.detail_level);
    }
    q.noisy = true;
  }
  return q;
}

}  // namespace

std::optional<Question> ask_about_clip(Rng& rng, const SynthOptions& options, const Scenario& s,
                                       std::string_view kind) {
  if (kind == "direction") return ask_direction(rng, s);
  if (kind == "moves") return ask_moves(rng, s);
  if (kind == "first" || kind == "last" || kind == "after" || kind == "before")
    return ask_order(rng, s, kind);
  if (kind == "appears" || kind == "disappears") return ask_appears(rng, s, kind == "appears");
  if (kind == "colour_from" || kind == "colour_to" || kind == "changes")
    return ask_colour_change(rng, s, kind);
  if (kind == "flashes") return ask_flashes(rng, s);
  if (kind == "state") return ask_state(rng, s);
  if (kind == "when") return ask_when(rng, s);
  if (kind == "colour" || kind == "shape") return ask_attribute(rng, s, kind == "colour");
  if (kind == "count") return ask_objects(rng, s);
  return ask_caption(rng, options, s);
}

Question ask_needle(Rng& rng, const Scenario& s) {
  return which_object(
      rng, s.facts, s.lead(), "appears briefly",
      {"What appears briefly?", "What appears for a short time?", "What appears for a moment?",
       "Which object can be seen for a short time only?", "What shows up briefly?"});
}

}  // namespace vl3::synth
