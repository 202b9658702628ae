// multi.*: two or three images, told apart, compared, or one a changed version of the other.
#include <algorithm>

#include "synth/artefacts.h"
#include "synth/captions.h"
#include "synth/family.h"
#include "synth/scene_layout.h"
#include "synth/text_layout.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

enum LevelIndex { kOneEach, kFew, kChange, kText };
constexpr std::string_view kOrdinals[] = {"first", "second", "third"};

struct Picture {
  std::vector<ColouredShape> shapes;
  std::string text;
};

struct Set {
  std::vector<Picture> pictures;
  Split split;
  std::string change;  ///< "a red circle appeared"; "nothing"; "" where the images are no pair
  bool are_pair() const { return !change.empty(); }
};

std::vector<std::string> ordinal_options(const Set& set) {
  std::vector<std::string> names;
  for (size_t i = 0; i < set.pictures.size(); ++i) names.emplace_back(kOrdinals[i]);
  return names;
}

void answer_image(Question& q, const Set& set, size_t index) {
  const std::string name(kOrdinals[index]), number = std::to_string(index + 1);
  q.answer = name;
  q.accepted = {name + " image", name + " one", name + " picture", "image " + number, number};
  q.options = ordinal_options(set);
}

std::optional<Question> ask_which(Rng& rng, const Set& set) {
  const size_t index = static_cast<size_t>(rng.below(static_cast<int>(set.pictures.size())));
  if (set.are_pair() || set.pictures[index].shapes.empty()) return std::nullopt;
  const ColouredShape what = rng.pick(set.pictures[index].shapes);
  std::vector<std::string> ways;  // only what no other image has
  const auto elsewhere = [&](const auto& same) {
    for (size_t i = 0; i < set.pictures.size(); ++i) {
      if (i != index && std::any_of(set.pictures[i].shapes.begin(), set.pictures[i].shapes.end(), same))
        return true;
    }
    return false;
  };
  Question q;
  if (!elsewhere([&](ColouredShape s) { return s.shape == what.shape; }))
    ways.emplace_back(name_of(what.shape));
  if (!elsewhere([&](ColouredShape s) { return s.colour == what.colour; }))
    ways.push_back(std::string(name_of(what.colour)) + " shape");
  if (!elsewhere([&](ColouredShape s) { return s == what; })) ways.push_back(name_of(what));
  if (ways.empty()) return std::nullopt;
  const std::string thing = rng.pick(ways);
  q.query = {{"thing", thing}};
  q.text = say(rng,
               {"Which image has {a} {t}?", "Which image shows {a} {t}?", "In which image is there {a} {t}?",
                "Which [image|picture] contains {a} {t}?", "Which [image|picture] has the {t}?",
                "Where is the {t}, in [the first or the second|which] image?"},
               {{"a", article_of(thing)}, {"t", thing}});
  answer_image(q, set, index);
  return q;
}

std::optional<Question> ask_more(Rng& rng, const Set& set) {
  if (set.are_pair()) return std::nullopt;
  const bool more = rng.chance(0.7);
  std::vector<size_t> order(set.pictures.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return more ? set.pictures[a].shapes.size() > set.pictures[b].shapes.size()
                : set.pictures[a].shapes.size() < set.pictures[b].shapes.size();
  });
  if (set.pictures[order[0]].shapes.size() == set.pictures[order[1]].shapes.size()) return std::nullopt;
  Question q;
  q.query = {{"relation", more ? "more" : "fewer"}};
  q.text = set.pictures.size() == 2
               ? say(rng,
                     {"Which image has {r} shapes?", "Which [image|picture] shows {r} shapes?",
                      "In which image are there {r} shapes?"},
                     {{"r", more ? "more" : "fewer"}})
               : say(rng,
                     {"Which image has the {r} shapes?", "Which [image|picture] shows the {r} shapes?",
                      "In which image are the {r} shapes?"},
                     {{"r", more ? "most" : "fewest"}});
  answer_image(q, set, order[0]);
  return q;
}

std::optional<Question> ask_colour(Rng& rng, const Set& set) {
  const size_t index = static_cast<size_t>(rng.below(static_cast<int>(set.pictures.size())));
  if (set.pictures[index].shapes.empty()) return std::nullopt;
  const auto& shapes = set.pictures[index].shapes;
  const ColouredShape what = rng.pick(shapes);
  if (std::count_if(shapes.begin(), shapes.end(), [&](ColouredShape s) { return s.shape == what.shape; }) !=
      1)
    return std::nullopt;
  Question q;
  q.query = {{"image", std::to_string(index + 1)}, {"shape", std::string(name_of(what.shape))}};
  q.text = say(
      rng,
      {"What colour is the {s} in the {n} image?", "Which colour is the {s} in the {n} image?",
       "In the {n} [image|picture], what colour is the {s}?", "What is the colour of the {s} in image {i}?"},
      {{"s", std::string(name_of(what.shape))}, {"n", kOrdinals[index]}, {"i", std::to_string(index + 1)}});
  q.answer = name_of(what.colour);
  q.options = colour_options();
  return q;
}

std::optional<Question> ask_count(Rng& rng, const Set& set) {
  if (set.pictures[0].shapes.empty()) return std::nullopt;
  Question q;
  size_t count = 0;
  if (rng.chance(0.3)) {
    for (const Picture& picture : set.pictures) count += picture.shapes.size();
    if (count > kMaxNumber) return std::nullopt;
    q.query = {{"image", "all"}};
    q.text =
        say(rng, {"How many shapes are there in all images together?", "How many shapes are there in total?",
                  "How many shapes do the images show altogether?"});
  } else {
    const size_t index = static_cast<size_t>(rng.below(static_cast<int>(set.pictures.size())));
    count = set.pictures[index].shapes.size();
    q.query = {{"image", std::to_string(index + 1)}};
    q.text = say(rng,
                 {"How many shapes are there in the {n} image?",
                  "How many shapes does the {n} [image|picture] show?", "How many shapes are in image {i}?"},
                 {{"n", kOrdinals[index]}, {"i", std::to_string(index + 1)}});
  }
  q.answer = std::to_string(count);
  q.options =
      number_options(1, q.query.at("image") == "all" ? 3 * static_cast<int>(set.pictures.size()) + 2 : 4);
  return q;
}

std::optional<Question> ask_images(Rng& rng, const Set& set) {
  Question q;
  q.text = say(rng, {"How many images are there?", "How many [images|pictures] do you see?",
                     "How many images were given?"});
  q.answer = std::to_string(set.pictures.size());
  q.options = {"2", "3"};
  return q;
}

std::optional<Question> ask_change(Rng& rng, const Set& set) {
  if (!set.are_pair()) return std::nullopt;
  Question q;
  q.text = say(rng, {"What changed between the two images?", "What is different in the second image?",
                     "What has changed?", "What is the difference between the [images|pictures]?",
                     "Spot the difference.", "What changed from the first to the second image?"});
  q.answer = set.change;
  return q;
}

std::optional<Question> ask_same(Rng& rng, const Set& set) {
  if (!set.are_pair()) return std::nullopt;
  Question q;
  q.text = say(
      rng, {"Are the two images the same?", "Do both images show the same?",
            "Are the [images|pictures] equal?", "Do the images show the same shapes in the same colours?"});
  q.answer = set.change == "nothing" ? "yes" : "no";
  q.options = {"yes", "no"};
  return q;
}

std::optional<Question> ask_text(Rng& rng, const Set& set, bool which) {
  if (set.pictures[0].text.empty()) return std::nullopt;
  const size_t index = static_cast<size_t>(rng.below(static_cast<int>(set.pictures.size())));
  const std::string& text = set.pictures[index].text;
  Question q;
  if (which) {
    q.query = {{"text", text}};
    q.text = say(rng,
                 {"Which image says \"{t}\"?", "Which image has the text \"{t}\"?",
                  "In which image is \"{t}\" written?", "Which [image|picture] contains the text \"{t}\"?"},
                 {{"t", text}});
    answer_image(q, set, index);
  } else {
    q.query = {{"image", std::to_string(index + 1)}};
    q.text = say(rng,
                 {"What does the text in the {n} image say?", "What is written in the {n} image?",
                  "Read the text in the {n} [image|picture].", "What does image {i} say?"},
                 {{"n", kOrdinals[index]}, {"i", std::to_string(index + 1)}});
    q.answer = text;
    for (const Picture& picture : set.pictures) q.options.push_back(picture.text);
  }
  return q;
}

// ---- drawing ----

bool draw_shapes(Rng& rng, const Request& request, int count, PictureSize size, Set& set, Sample& sample) {
  Canvas canvas(size.width, size.height);
  const Background background = paint_background(
      canvas, rng, std::min(request.options.background_level, request.level == kOneEach ? 2 : 4));
  const auto what = pick_shapes(rng, request.options.split, count, true, background);
  if (!what) return false;
  auto placed = place_shapes(rng, size.width, size.height, *what, {0.25, 0.6, 0.8, false});
  if (!placed) return false;
  for (Placed& shape : *placed) {
    const auto shade = shade_on(rng, shape.what.colour, background);
    if (!shade) return false;
    set_shade(shape.look, *shade, background);
  }
  sample.facts.images.push_back(draw_scene(canvas, background, *placed));
  sample.frames.push_back(canvas.to_frame());
  set.pictures.push_back({*what, ""});
  return true;
}

bool draw_change(Rng& rng, const Request& request, Set& set, Sample& sample) {
  const PictureSize size = pick_size(rng, request.options, 84, 168, 1.5);
  Canvas first(size.width, size.height);
  const Background background = paint_background(first, rng, std::min(request.options.background_level, 4));
  Canvas second(first);
  const int count = rng.between(1, 3);
  const auto what = pick_shapes(rng, request.options.split, count + 1, true, background);
  if (!what) return false;
  auto placed = place_shapes(rng, size.width, size.height, *what, {0.22, 0.42, 0.8, false});
  if (!placed) return false;
  for (Placed& shape : *placed) {
    const auto shade = shade_on(rng, shape.what.colour, background);
    if (!shade) return false;
    set_shade(shape.look, *shade, background);
  }
  const Placed extra = placed->back();
  std::vector<Placed> before(placed->begin(), placed->end() - 1), after = before;
  const auto phrase = [](ColouredShape s) {
    return std::string(article_of(name_of(s.colour))) + " " + name_of(s);
  };
  const double roll = rng.real();
  if (roll < 0.2) {
    set.change = "nothing";
  } else if (roll < 0.5) {
    Placed& one = after[static_cast<size_t>(rng.below(count))];
    const ColouredShape old = one.what;
    for (int attempt = 0; attempt < 40 && one.what == old; ++attempt) {
      const auto colour = static_cast<Colour>(rng.below(kColours));
      const auto shade = shade_on(rng, colour, background);
      if (colour == old.colour || !shade || !allowed({colour, old.shape}, request.options.split) ||
          distance(*shade, one.look.colour) < 120)
        continue;
      one.what.colour = colour;
      one.look.colour = *shade;
    }
    if (one.what == old) return false;
    set.change = "the " + name_of(old) + " turned " + std::string(name_of(one.what.colour));
  } else if (roll < 0.75) {
    after.push_back(extra);
    set.change = phrase(extra.what) + " appeared";
  } else {
    before.push_back(extra);
    set.change = "the " + name_of(extra.what) + " disappeared";
  }
  sample.facts.images.push_back(draw_scene(first, background, before));
  sample.facts.images.push_back(draw_scene(second, background, after));
  sample.frames = {first.to_frame(), second.to_frame()};
  for (const auto* shapes : {&before, &after}) {
    Picture picture;
    for (const Placed& shape : *shapes) picture.shapes.push_back(shape.what);
    set.pictures.push_back(std::move(picture));
  }
  return true;
}

bool draw_text_images(Rng& rng, const Request& request, int count, Set& set, Sample& sample) {
  const SynthOptions& options = request.options;
  for (int i = 0; i < count; ++i) {
    const std::string text =
        pick_sign(rng, options.split == Split::kHeldout && i > 0 ? Split::kAll : options.split, 8);
    if (std::any_of(set.pictures.begin(), set.pictures.end(),
                    [&](const Picture& p) { return p.text == text; }))
      return false;
    const Background white{"white", {{255, 255, 255}}};
    auto ink = pick_ink(rng, options, 16, 26, false, white);
    if (!ink) return false;
    const int wide = text_width(text, ink->look), tall = line_metrics(ink->look).height;
    Canvas canvas(std::max(options.min_side, wide + rng.between(10, 60)),
                  std::max(options.min_side, tall + rng.between(10, 50)));
    if (canvas.width() > options.max_side || canvas.height() > options.max_side) return false;
    const Background background = paint_background(canvas, rng, std::min(options.background_level, 2));
    const auto fitting = pick_ink(rng, options, 16, 16, rng.chance(0.3), background);
    if (!fitting) return false;
    ink->look.colour = fitting->look.colour;
    ImageFacts facts{canvas.width(), canvas.height(), background.name, {}};
    add_text(facts, "line", text, fitting->colour_name,
             draw_text(canvas, rng.between(4, canvas.width() - wide - 4),
                       rng.between(3, canvas.height() - tall - 3), text, ink->look));
    sample.facts.images.push_back(std::move(facts));
    sample.frames.push_back(canvas.to_frame());
    set.pictures.push_back({{}, text});
  }
  return true;
}

bool make(Rng& rng, const Request& request, Sample& sample) {
  Set set{{}, request.options.split, ""};
  const int count = request.level == kOneEach ? 2 : rng.chance(0.7) ? 2 : 3;
  bool done = true;
  if (request.level == kChange) {
    done = draw_change(rng, request, set, sample);
  } else if (request.level == kText) {
    done = draw_text_images(rng, request, count, set, sample);
  } else {
    const PictureSize common = pick_size(rng, request.options, 84, 168, 1.6);
    const bool alike = rng.chance(0.5);
    for (int i = 0; i < count && done; ++i) {
      done = draw_shapes(rng, request, request.level == kOneEach ? 1 : rng.between(1, 3),
                         alike ? common : pick_size(rng, request.options, 84, 168, 1.6), set, sample);
    }
  }
  if (!done) return false;
  degrade_images(rng, request.options, request.level == kText ? Frailty::kText : Frailty::kRobust,
                 sample.frames);
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) -> std::optional<Question> {
    if (kind == "which") return ask_which(r, set);
    if (kind == "more") return ask_more(r, set);
    if (kind == "colour") return ask_colour(r, set);
    if (kind == "count") return ask_count(r, set);
    if (kind == "images") return ask_images(r, set);
    if (kind == "change") return ask_change(r, set);
    if (kind == "same") return ask_same(r, set);
    return ask_text(r, set, kind == "which_text");
  });
}

}  // namespace

Family multi_family() {
  using enum AnswerForm;
  return {"multi",
          MediaType::kImages,
          {{"one", "two images, one shape each"},
           {"few", "2 or 3 images, 1 to 3 shapes each"},
           {"change", "two images, at most one thing differs"},
           {"text", "2 or 3 images with a printed line"}},
          {{"which", kExact, kOneEach, kFew, "Which image has a star?"},
           {"colour", kExact, kOneEach, kChange, "What colour is the star in the second image?"},
           {"count", kExact, kFew, kChange, "How many shapes are there in the second image?"},
           {"more", kExact, kFew, kFew, "Which image has more shapes?"},
           {"images", kExact, kOneEach, kText, "How many images are there?"},
           {"change", kExact, kChange, kChange, "What changed between the two images?"},
           {"same", kExact, kChange, kChange, "Are the two images the same?"},
           {"which_text", kExact, kText, kText, "Which image says \"EXIT\"?"},
           {"read", kExact, kText, kText, "What does the text in the second image say?"}},
          make};
}

}  // namespace vl3::synth
