// scene.*: one to twelve shapes on a background.
#include <algorithm>
#include <cmath>

#include "synth/artefacts.h"
#include "synth/captions.h"
#include "synth/family.h"
#include "synth/scene_layout.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

enum LevelIndex { kOne, kTwo, kFew, kMany, kCrowd };

struct Scene {
  std::vector<Placed> shapes;
  const ImageFacts& facts;
  Split split;
  int odd = -1;  ///< the one that differs from all others
};

int count_if(const Scene& scene, const auto& same) {
  return static_cast<int>(std::count_if(scene.shapes.begin(), scene.shapes.end(), same));
}

// Words that name one shape and no other: "star", "red shape", "red star"; "" where there are none.
std::string refer(Rng& rng, const Scene& scene, const Placed& one) {
  std::vector<std::string> ways;
  if (count_if(scene, [&](const Placed& p) { return p.what.shape == one.what.shape; }) == 1) {
    ways.emplace_back(name_of(one.what.shape));
    ways.push_back(ways[0]);
  }
  if (count_if(scene, [&](const Placed& p) { return p.what.colour == one.what.colour; }) == 1) {
    ways.push_back(std::string(name_of(one.what.colour)) + " " + rng.pick({"shape", "object"}));
  }
  if (count_if(scene, [&](const Placed& p) { return p.what == one.what; }) == 1)
    ways.push_back(name_of(one.what));
  return ways.empty() ? "" : rng.pick(ways);
}

// Some shape that fulfils the condition.
const Placed* any(Rng& rng, const Scene& scene, const auto& condition) {
  std::vector<const Placed*> fitting;
  for (const Placed& shape : scene.shapes) {
    if (condition(shape)) fitting.push_back(&shape);
  }
  return fitting.empty() ? nullptr : rng.pick(fitting);
}

std::optional<Question> ask_colour(Rng& rng, const Scene& scene) {
  const Placed* one = any(rng, scene, [&](const Placed& p) {
    return count_if(scene, [&](const Placed& q) { return q.what.shape == p.what.shape; }) == 1;
  });
  if (one == nullptr) return std::nullopt;
  Question q;
  const std::string shape(name_of(one->what.shape));
  q.query = {{"shape", shape}};
  q.text = scene.shapes.size() == 1 && rng.chance(0.25)
               ? say(rng, {"What colour is the shape?", "What colour is [it|this]?",
                           "Which colour does the shape have?"})
               : say(rng,
                     {"What colour is the {s}?", "Which colour is the {s}?", "What is the colour of the {s}?",
                      "What colour does the {s} have?", "[Tell me|Name] the colour of the {s}.",
                      "The {s} is which colour?", "Can you tell me the colour of the {s}?",
                      "What colour is the {s} in the [image|picture]?"},
                     {{"s", shape}});
  q.answer = name_of(one->what.colour);
  q.options = colour_options();
  return q;
}

std::optional<Question> ask_shape(Rng& rng, const Scene& scene) {
  const Placed* one = any(rng, scene, [&](const Placed& p) {
    return count_if(scene, [&](const Placed& q) { return q.what.colour == p.what.colour; }) == 1;
  });
  if (one == nullptr) return std::nullopt;
  Question q;
  const std::string colour(name_of(one->what.colour));
  q.query = {{"colour", colour}};
  q.text = scene.shapes.size() == 1 && rng.chance(0.3)
               ? say(rng, {"What shape is [this|it]?", "What shape is [shown|in the image]?",
                           "Which shape do you see?", "What is the shape?"})
               : say(rng,
                     {"What shape is the {c} [object|one]?", "What shape is {c}?", "Which shape is {c}?",
                      "What is the {c} [shape|object|thing]?", "What shape is the {c} [thing|figure]?",
                      "What {c} shape [is there|do you see]?", "Name the {c} shape.",
                      "The {c} [object|shape] is what shape?"},
                     {{"c", colour}});
  q.answer = name_of(one->what.shape);
  q.options = shape_options();
  return q;
}

std::optional<Question> ask_count(Rng& rng, const Scene& scene) {
  Question q;
  const int total = static_cast<int>(scene.shapes.size());
  const double roll = rng.real();
  int count = total;
  const Placed& model = rng.pick(scene.shapes);
  if (roll < 0.4 || scene.shapes.size() == 1) {
    q.text = say(rng, {"How many shapes are there?", "How many [shapes|objects] are in the [image|picture]?",
                       "How many [shapes|objects] [do you see|can you see]?", "Count the shapes.",
                       "What is the number of shapes?", "How many shapes are shown?",
                       "How many figures are there [in the image|]?"});
    q.query = {{"of", "all"}};
  } else if (roll < 0.7) {
    const Shape shape = rng.chance(0.9) ? model.what.shape : static_cast<Shape>(rng.below(kShapes));
    count = count_if(scene, [&](const Placed& p) { return p.what.shape == shape; });
    q.text = say(rng,
                 {"How many {p} are there?", "How many {p} are in the [image|picture]?",
                  "How many {p} [do|can] you see?", "Count the {p}.", "What is the number of {p}?",
                  "How many {p} does the image [show|contain]?"},
                 {{"p", plural_of(shape)}});
    q.query = {{"of", "shape"}, {"shape", std::string(name_of(shape))}};
  } else {
    const Colour colour = rng.chance(0.9) ? model.what.colour : static_cast<Colour>(rng.below(kColours));
    count = count_if(scene, [&](const Placed& p) { return p.what.colour == colour; });
    q.text = say(rng,
                 {"How many {c} shapes are there?", "How many [shapes|objects] are {c}?",
                  "How many {c} [objects|shapes] [do|can] you see?", "Count the {c} shapes.",
                  "How many {c} shapes are in the [image|picture]?"},
                 {{"c", std::string(name_of(colour))}});
    q.query = {{"of", "colour"}, {"colour", std::string(name_of(colour))}};
  }
  q.answer = std::to_string(count);
  q.options = number_options(0, std::max(6, total));
  return q;
}

std::optional<Question> ask_exists(Rng& rng, const Scene& scene) {
  Question q;
  const bool wanted = rng.chance(0.5);
  for (int attempt = 0; attempt < 40; ++attempt) {
    const Placed& model = rng.pick(scene.shapes);
    const int mode = rng.below(3);  // a shape, a colour, both
    ColouredShape asked = model.what;
    if (!wanted) {
      // Wrong in one attribute of something that is there, or altogether.
      if (mode != 1 && rng.chance(0.7))
        asked.shape = static_cast<Shape>(rng.below(kShapes));
      else
        asked.colour = static_cast<Colour>(rng.below(kColours));
      if (rng.chance(0.2)) asked = pick_pair(rng, scene.split, false);
      if (mode == 2 && !allowed(asked, scene.split)) continue;
    }
    const bool there =
        count_if(scene, [&](const Placed& p) {
          return (mode == 1 || p.what.shape == asked.shape) && (mode == 0 || p.what.colour == asked.colour);
        }) > 0;
    if (there != wanted) continue;
    const std::string colour(name_of(asked.colour)), shape(name_of(asked.shape));
    const std::string thing = mode == 0   ? shape
                              : mode == 1 ? colour + " " + rng.pick({"shape", "object"})
                                          : colour + " " + shape;
    if (mode != 1) q.query["shape"] = shape;
    if (mode != 0) q.query["colour"] = colour;
    q.text = say(rng,
                 {"Is there {a} {t} in the image?", "Is there {a} {t}?", "Is there {a} {t} in the picture?",
                  "[Do|Can] you see {a} {t}?", "Does the [image|picture] [contain|show|have] {a} {t}?",
                  "Is {a} {t} [present|visible|shown]?", "Are there any {p}?",
                  "Can {a} {t} be seen [here|in the image]?"},
                 {{"a", article_of(thing)},
                  {"t", thing},
                  {"p", mode == 1   ? thing + "s"
                        : mode == 0 ? plural_of(asked.shape)
                                    : colour + " " + plural_of(asked.shape)}});
    q.answer = wanted ? "yes" : "no";
    q.options = {"yes", "no"};
    return q;
  }
  return std::nullopt;
}

std::optional<Question> ask_relation(Rng& rng, const Scene& scene, bool yes_no) {
  if (scene.shapes.size() < 2) return std::nullopt;
  for (int attempt = 0; attempt < 20; ++attempt) {
    const Placed &a = rng.pick(scene.shapes), &b = rng.pick(scene.shapes);
    if (&a == &b) continue;
    const std::string relation = relation_of(a.box, b.box), first = refer(rng, scene, a),
                      second = refer(rng, scene, b);
    if (relation.empty() || first.empty() || second.empty()) continue;
    const bool sideways = relation == "left" || relation == "right";
    Question q;
    q.query = {{"a", name_of(a.what)}, {"b", name_of(b.what)}};
    if (yes_no) {
      const bool yes = rng.chance(0.5);
      const std::string asked = yes                   ? relation
                                : relation == "left"  ? "right"
                                : relation == "right" ? "left"
                                : relation == "above" ? "below"
                                                      : "above";
      const std::string side =
          sideways ? std::string(rng.pick({"to the ", "on the "})) + asked + " of" : asked;
      q.query["relation"] = asked;
      q.text = say(rng,
                   {"Is the {a} {r} the {b}?", "Is the {a} {r} the {b} [in the image|in this picture]?",
                    "Would you say the {a} is {r} the {b}?"},
                   {{"a", first}, {"b", second}, {"r", side}});
      q.answer = yes ? "yes" : "no";
      q.options = {"yes", "no"};
      return q;
    }
    const double roll = rng.real();
    if (roll < 0.35) {
      q.text = sideways ? say(rng,
                              {"Is the {a} to the left or to the right of the {b}?",
                               "Is the {a} left or right of the {b}?",
                               "Is the {a} on the left or on the right of the {b}?",
                               "Which side of the {b} is the {a} on, left or right?"},
                              {{"a", first}, {"b", second}})
                        : say(rng,
                              {"Is the {a} above or below the {b}?", "Is the {a} below or above the {b}?",
                               "Is the {a} above the {b} or below it?"},
                              {{"a", first}, {"b", second}});
      q.answer = relation;
      q.options =
          sideways ? std::vector<std::string>{"left", "right"} : std::vector<std::string>{"above", "below"};
    } else if (roll < 0.7 || scene.shapes.size() != 2) {
      q.text = say(rng,
                   {"Where is the {a} relative to the {b}?", "Where is the {a} in relation to the {b}?",
                    "Where is the {a}, seen from the {b}?", "On which side of the {b} is the {a}?",
                    "Is the {a} left of, right of, above or below the {b}?",
                    "What is the position of the {a} relative to the {b}?"},
                   {{"a", first}, {"b", second}});
      q.answer = relation;
      q.options = {"left", "right", "above", "below"};
      if (!sideways) q.accepted = {relation == "above" ? "top" : "bottom"};
    } else {
      q.query = {{"b", name_of(b.what)}, {"relation", relation}};
      q.text =
          sideways
              ? say(rng,
                    {"What is to the {r} of the {b}?", "What is {r} of the {b}?",
                     "Which shape is on the {r} of the {b}?"},
                    {{"r", relation}, {"b", second}})
              : say(rng,
                    {"What is {r} the {b}?", "Which shape is {r} the {b}?", "What do you see {r} the {b}?"},
                    {{"r", relation}, {"b", second}});
      q.answer = name_of(a.what);
      if (a.what.shape != b.what.shape) q.accepted = {std::string(name_of(a.what.shape))};
    }
    return q;
  }
  return std::nullopt;
}

std::optional<Question> ask_position(Rng& rng, const Scene& scene) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const Placed& one = rng.pick(scene.shapes);
    const std::string where = position_of(one.box, scene.facts.width, scene.facts.height),
                      who = refer(rng, scene, one);
    if (where.empty() || who.empty()) continue;
    Question q;
    q.query = {{"a", name_of(one.what)}};
    q.text = say(rng,
                 {"Where is the {a}?", "Where in the [image|picture] is the {a}?",
                  "In which part of the [image|picture] is the {a}?", "Where can [I|you] see the {a}?",
                  "What is the position of the {a}?", "Where is the {a} located?"},
                 {{"a", who}});
    q.answer = where;
    q.options = {"top left", "top",         "top right", "left",        "middle",
                 "right",    "bottom left", "bottom",    "bottom right"};
    if (where == "middle")
      q.accepted = {"center", "in the middle", "in the center"};
    else
      q.accepted = {"at the " + where, "on the " + where, "in the " + where};
    return q;
  }
  return std::nullopt;
}

std::optional<Question> ask_odd(Rng& rng, const Scene& scene) {
  if (scene.odd < 0) return std::nullopt;
  const ColouredShape odd = scene.shapes[static_cast<size_t>(scene.odd)].what,
                      other = scene.shapes[scene.odd == 0 ? 1 : 0].what;
  Question q;
  q.text = say(rng, {"Which shape is different from the others?", "Which one is different?",
                     "Which is the odd one out?", "What is the odd one out?",
                     "Which shape does not match the others?", "Find the odd one out."});
  q.answer = name_of(odd);
  q.accepted = {std::string(odd.shape != other.shape ? name_of(odd.shape) : name_of(odd.colour))};
  q.options = {name_of(odd), name_of(other)};
  return q;
}

std::optional<Question> ask_background(Rng& rng, const Scene& scene) {
  if (scene.facts.background.empty()) return std::nullopt;
  Question q;
  q.text = say(rng, {"What colour is the background?", "What is the colour of the background?",
                     "Which colour is the background?", "What colour is behind the shape[s|]?"});
  q.answer = scene.facts.background;
  q.options = colour_options();
  return q;
}

// A caption with one attribute changed: what a careless captioner writes.
std::string wrong_caption(Rng& rng, const Scene& scene, int detail) {
  ImageFacts facts = scene.facts;
  while (true) {
    Item& item = facts.items[static_cast<size_t>(rng.below(static_cast<int>(facts.items.size())))];
    const Item before = item;
    if (rng.chance(0.6))
      item.colour = name_of(static_cast<Colour>(rng.below(kColours)));
    else
      item.label = name_of(static_cast<Shape>(rng.below(kShapes)));
    const auto now = parse_shape(item);
    if ((item.colour != before.colour || item.label != before.label) && allowed(*now, scene.split))
      return image_caption(facts, detail);
    item = before;
  }
}

Question ask_caption(Rng& rng, const Request& request, const Scene& scene, bool brief) {
  Question q;
  const int detail = brief ? 0 : request.options.detail_level;
  q.text = brief
               ? say(rng, {"What is in the [image|picture]?", "What [do|can] you see?",
                           "Describe the [image|picture] [briefly|in a few words|in one short sentence].",
                           "What does the [image|picture] show?", "What shapes are there?",
                           "Which shapes are in the image?", "List the shapes [from left to right|].",
                           "Give a short caption."})
               : say(rng, {"Describe the image.", "Describe the image.",
                           "Describe the [image|picture] [in detail|].",
                           "Describe this [image|picture] [in detail|].",
                           "Write a [caption|description] [for|of] the image.",
                           "[Can|Could] you describe the [image|picture]?", "What is happening in the image?",
                           "Give a [detailed |]description of the [image|picture]."});
  q.answer = image_caption(scene.facts, detail);
  if (request.options.caption_noise > 0 && rng.chance(request.options.caption_noise)) {
    q.answer = wrong_caption(rng, scene, detail);
    q.noisy = true;
  }
  return q;
}

// What is in the scene: how many shapes, how alike.
std::optional<std::vector<ColouredShape>> choose_shapes(Rng& rng, const Request& request,
                                                        const Background& background, int& odd) {
  const Split split = request.options.split;
  const int n = request.level == kOne    ? 1
                : request.level == kTwo  ? 2
                : request.level == kFew  ? rng.between(1, 3)
                : request.level == kMany ? rng.between(1, 6)
                                         : rng.between(7, 12);
  if (request.leads("odd")) {
    const int count = rng.between(3, 6);
    for (int attempt = 0; attempt < 30; ++attempt) {
      const auto two = pick_shapes(rng, split, 2, true, background);
      if (!two) return std::nullopt;
      ColouredShape one = (*two)[0], rest = (*two)[1];
      if (rng.chance(0.5))
        rest.shape = one.shape;
      else
        rest.colour = one.colour;
      if (rest == one || !allowed(rest, split) || !shade_on(rng, rest.colour, background)) continue;
      std::vector<ColouredShape> all(static_cast<size_t>(count), rest);
      odd = rng.below(count);
      all[static_cast<size_t>(odd)] = one;
      return all;
    }
    return std::nullopt;
  }
  if (n >= 3 &&
      rng.chance(request.leads("count") || request.level == kCrowd ? 0.75 : 0.3)) {  // several of a sort
    const auto sorts = pick_shapes(rng, split, rng.between(1, std::min(4, n)), true, background);
    if (!sorts) return std::nullopt;
    std::vector<ColouredShape> all = *sorts;
    while (static_cast<int>(all.size()) < n) all.push_back(rng.pick(*sorts));
    rng.shuffle(all);
    return all;
  }
  return pick_shapes(rng, split, n, request.level <= kFew && rng.chance(0.8), background);
}

bool make(Rng& rng, const Request& request, Sample& sample) {
  const bool easy = request.level <= kTwo;
  const PictureSize size = request.level == kOne ? pick_size(rng, request.options, 84, 168, 1.5)
                           : request.level <= kFew
                               ? pick_size(rng, request.options, 112, 224, 1.7)
                               : pick_size(rng, request.options, request.level == kCrowd ? 140 : 112,
                                           rng.chance(0.25) ? 448 : 252, 2.5);
  Canvas canvas(size.width, size.height);
  const Background background = paint_background(
      canvas, rng, std::min(request.options.background_level, easy && rng.chance(0.4) ? 1 : 4));
  int odd = -1;
  const auto what = choose_shapes(rng, request, background, odd);
  if (!what) return false;
  LayoutRules rules;
  rules.variety = request.level == kOne ? 0.6 : 1;
  rules.alike = odd >= 0 || rng.chance(0.2);
  rules.smallest = easy ? 0.25 : request.level == kCrowd ? 0.09 : 0.14;
  rules.largest = request.level == kOne ? 0.85 : easy ? 0.45 : 0.4;
  auto placed = place_shapes(rng, size.width, size.height, *what, rules);
  if (!placed) return false;
  for (Placed& shape : *placed) {
    const auto shade = shade_on(rng, shape.what.colour, background);
    if (!shade) return false;
    set_shade(shape.look, *shade, background);
  }
  sample.facts.images.push_back(draw_scene(canvas, background, *placed));
  sample.frames.push_back(canvas.to_frame());
  degrade_images(rng, request.options, Frailty::kRobust, sample.frames);
  const Scene scene{std::move(*placed), sample.facts.images[0], request.options.split, odd};
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) -> std::optional<Question> {
    if (kind == "colour") return ask_colour(r, scene);
    if (kind == "shape") return ask_shape(r, scene);
    if (kind == "count") return ask_count(r, scene);
    if (kind == "exists") return ask_exists(r, scene);
    if (kind == "relation") return ask_relation(r, scene, false);
    if (kind == "relation_check") return ask_relation(r, scene, true);
    if (kind == "position") return ask_position(r, scene);
    if (kind == "odd") return ask_odd(r, scene);
    if (kind == "background") return ask_background(r, scene);
    return ask_caption(r, request, scene, kind == "caption");
  });
}

}  // namespace

Family scene_family() {
  using enum AnswerForm;
  return {"scene",
          MediaType::kImage,
          {{"one", "one large shape"},
           {"two", "two shapes"},
           {"few", "1 to 3 shapes, every background"},
           {"many", "1 to 6 shapes, 112 to 448 pixels"},
           {"crowd", "7 to 12 shapes"}},
          {{"colour", kExact, kOne, kMany, "What colour is the star?"},
           {"shape", kExact, kOne, kMany, "What shape is the red object?"},
           {"count", kExact, kOne, kCrowd, "How many shapes are there?"},
           {"exists", kExact, kOne, kCrowd, "Is there a square in the image?"},
           {"relation", kExact, kTwo, kMany, "Where is the star relative to the circle?"},
           {"relation_check", kExact, kTwo, kMany, "Is the star to the left of the circle?"},
           {"position", kExact, kOne, kMany, "Where is the star?"},
           {"odd", kExact, kFew, kMany, "Which shape is different from the others?"},
           {"background", kExact, kOne, kCrowd, "What colour is the background?"},
           {"caption", kCaption, kOne, kMany, "What is in the image?"},
           {"describe", kCaption, kOne, kMany, "Describe the image."}},
          make};
}

}  // namespace vl3::synth
