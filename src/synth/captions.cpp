#include "synth/captions.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "synth/scene_layout.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

std::optional<Shape> shape_named(std::string_view word) {
  for (int i = 0; i < kShapes; ++i) {
    const auto shape = static_cast<Shape>(i);
    if (word == name_of(shape) || word == plural_of(shape)) return shape;
  }
  return std::nullopt;
}

std::optional<Colour> colour_named(std::string_view word) {
  if (word == "grey") return Colour::kGray;
  for (int i = 0; i < kColours; ++i) {
    if (word == name_of(static_cast<Colour>(i))) return static_cast<Colour>(i);
  }
  return std::nullopt;
}

std::optional<int> number_named(std::string_view word) {
  if (word == "a" || word == "an" || word == "the") return 1;
  if (!word.empty() && word.size() < 3 &&
      std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::stoi(std::string(word));
  }
  for (int i = 0; i <= kMaxNumber; ++i) {
    if (word == number_word(i)) return i;
  }
  return std::nullopt;
}

// Lower-case words sentence by sentence.
std::vector<std::vector<std::string>> sentences_of(const std::string& text) {
  std::vector<std::vector<std::string>> sentences(1);
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) sentences.back().push_back(std::move(word));
    word.clear();
  };
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else
      end_word();
    if ((c == '.' || c == '!' || c == '\n') && !sentences.back().empty()) sentences.emplace_back();
  }
  end_word();
  return sentences;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

struct Mention {
  ColouredShape what;
  int count = 1;
};

// Every "[number] colour shape" of a sentence in order; words of the vocabulary outside of them go to
// `loose`.
std::vector<Mention> mentions_of(const std::vector<std::string>& words, std::vector<std::string>& loose) {
  std::vector<Mention> mentions;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto colour = colour_named(words[i]);
    const auto shape = colour && i + 1 < words.size() ? shape_named(words[i + 1]) : std::nullopt;
    if (colour && shape) {
      mentions.push_back({{*colour, *shape}, i > 0 ? number_named(words[i - 1]).value_or(1) : 1});
      ++i;
    } else if (colour || shape_named(words[i])) {
      loose.push_back(words[i]);
    }
  }
  return mentions;
}

constexpr std::string_view kRelations[] = {"left", "right", "above", "below"};

std::string position_in(const std::vector<std::string>& words) {
  std::string position;
  for (const std::string_view part : {"top", "bottom", "left", "right", "middle", "center", "centre"}) {
    if (!contains(words, part)) continue;
    position += position.empty() ? "" : " ";
    position += part.starts_with("cent") ? "middle" : part;
  }
  return position;
}

void claims_of_event(const std::vector<std::string>& words, const std::vector<Mention>& mentions,
                     std::vector<std::string>& loose, std::set<std::string>& claims) {
  const std::string who = name_of(mentions[0].what);
  if (contains(words, "moves")) {
    std::string where;
    for (const std::string_view direction : {"left", "right", "up", "down"}) {
      if (contains(words, direction)) where = direction;
    }
    claims.insert(who + " moves " + where);
  } else if (contains(words, "disappears")) {
    claims.insert(who + " disappears");
  } else if (contains(words, "appears")) {
    claims.insert(who + " appears");
  } else if (contains(words, "turns")) {
    claims.insert(who + " turns " + (loose.size() == 1 ? loose[0] : ""));
    loose.clear();
  } else if (contains(words, "flashes")) {
    std::string times = contains(words, "once") ? "1" : contains(words, "twice") ? "2" : "";
    for (size_t i = 1; i < words.size() && times.empty(); ++i) {
      if (words[i] == "times") times = std::to_string(number_named(words[i - 1]).value_or(-1));
    }
    claims.insert(who + " flashes " + times);
  } else {
    claims.insert(who + " stays");
  }
}

std::string times_phrase(int times) {
  return times == 1 ? "once" : times == 2 ? "twice" : number_word(times) + " times";
}

}  // namespace

std::optional<ColouredShape> parse_shape(const Item& item) {
  const auto shape = shape_named(item.label);
  const auto colour = colour_named(item.colour);
  if (item.type != "shape" || !shape || !colour) return std::nullopt;
  return ColouredShape{*colour, *shape};
}

std::vector<ColouredShape> shapes_of(const ImageFacts& image) {
  std::vector<const Item*> items;
  for (const Item& item : image.items) {
    if (parse_shape(item)) items.push_back(&item);
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item* a, const Item* b) { return a->box.centre_x() < b->box.centre_x(); });
  std::vector<ColouredShape> shapes;
  for (const Item* item : items) shapes.push_back(*parse_shape(*item));
  return shapes;
}

std::string list_phrase(const std::vector<ColouredShape>& shapes) {
  std::vector<Mention> counted;
  for (const ColouredShape what : shapes) {
    const auto known =
        std::find_if(counted.begin(), counted.end(), [&](const Mention& m) { return m.what == what; });
    if (known == counted.end())
      counted.push_back({what, 1});
    else
      ++known->count;
  }
  std::vector<std::string> parts;
  for (const Mention& mention : counted) {
    const std::string colour(name_of(mention.what.colour));
    parts.push_back(mention.count == 1
                        ? std::string(article_of(colour)) + " " + name_of(mention.what)
                        : number_word(mention.count) + " " + colour + " " + plural_of(mention.what.shape));
  }
  return join_words(parts);
}

std::string image_caption(const ImageFacts& image, int detail) {
  const std::vector<ColouredShape> shapes = shapes_of(image);
  if (detail <= 0) return list_phrase(shapes);
  std::string text = "The image shows " + list_phrase(shapes) + ".";
  if (detail == 1) return text;
  std::vector<const Item*> items;
  for (const Item& item : image.items) {
    if (parse_shape(item)) items.push_back(&item);
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item* a, const Item* b) { return a->box.centre_x() < b->box.centre_x(); });
  const auto unique = [&](ColouredShape what) { return std::count(shapes.begin(), shapes.end(), what) == 1; };
  if (items.size() == 1) {
    const std::string where = position_of(items[0]->box, image.width, image.height);
    if (!where.empty())
      text +=
          " The " + name_of(shapes[0]) + " is " + (where == "middle" ? "in the " : "at the ") + where + ".";
  } else if (items.size() <= 3) {
    for (size_t i = 0; i + 1 < items.size(); ++i) {
      const std::string relation = relation_of(items[i]->box, items[i + 1]->box);
      if (relation.empty() || !unique(shapes[i]) || !unique(shapes[i + 1])) continue;
      text += " The " + name_of(shapes[i]) + " is " +
              (relation == "left" || relation == "right" ? "to the " + relation + " of" : relation) +
              " the " + name_of(shapes[i + 1]) + ".";
    }
  }
  if (!image.background.empty()) text += " The background is " + image.background + ".";
  return text;
}

std::string clip_caption(const Facts& facts, int detail) {
  std::vector<Event> events = facts.events;
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.start_s < b.start_s; });
  std::string text;
  std::set<int> active;
  std::map<int, int> flashes;
  for (const Event& event : events) flashes[event.object] += event.type == "flash" ? 1 : 0;
  for (const Event& event : events) {
    const ClipObject& object = facts.objects[static_cast<size_t>(event.object)];
    const std::string colour = event.type == "colour" ? event.from : object.colour;
    const std::string who = capitalised(std::string(article_of(colour))) + " " + colour + " " + object.shape;
    if (event.type == "flash" && active.contains(event.object)) continue;
    active.insert(event.object);
    text += text.empty() ? "" : " ";
    if (event.type == "move")
      text += who + " moves " + (event.to == "left" || event.to == "right" ? "to the " : "") + event.to + ".";
    else if (event.type == "colour")
      text += who + " turns " + event.to + ".";
    else if (event.type == "flash")
      text += who + " flashes " + times_phrase(flashes[event.object]) + ".";
    else
      text += who + " " + event.type + "s.";
  }
  if (detail > 0) {
    for (size_t i = 0; i < facts.objects.size(); ++i) {
      if (active.contains(static_cast<int>(i))) continue;
      text += (text.empty() ? "" : " ") + capitalised(std::string(article_of(facts.objects[i].colour))) +
              " " + facts.objects[i].colour + " " + facts.objects[i].shape + " stays still.";
    }
  }
  return text;
}

std::set<std::string> claims_of(const std::string& caption) {
  std::set<std::string> claims;
  std::map<std::string, int> counts;
  for (const std::vector<std::string>& words : sentences_of(caption)) {
    std::vector<std::string> loose;
    const std::vector<Mention> mentions = mentions_of(words, loose);
    std::string_view relation;
    for (const std::string_view name : kRelations) {
      if (contains(words, name)) relation = name;
    }
    const bool event = std::any_of(words.begin(), words.end(), [](const std::string& word) {
      return word == "moves" || word == "appears" || word == "disappears" || word == "turns" ||
             word == "flashes" || word == "stays";
    });
    if (event && mentions.size() == 1) {
      claims_of_event(words, mentions, loose, claims);
    } else if (mentions.empty() && contains(words, "background") && loose.size() == 1) {
      claims.insert("background " + std::string(name_of(*colour_named(loose[0]))));
      loose.clear();
    } else if (mentions.size() == 2 && !relation.empty() && contains(words, "is")) {
      claims.insert(name_of(mentions[0].what) + " " + std::string(relation) + " of " +
                    name_of(mentions[1].what));
    } else if (mentions.size() == 1 && contains(words, "is") && !position_in(words).empty() &&
               contains(words, "the") && words[0] == "the") {
      claims.insert(name_of(mentions[0].what) + " at " + position_in(words));
    } else {
      for (const Mention& mention : mentions) counts[name_of(mention.what)] += mention.count;
    }
    for (const std::string& word : loose) claims.insert("? " + word);
  }
  for (const auto& [what, count] : counts) claims.insert(std::to_string(count) + " " + what);
  return claims;
}

Truth truth_of(const Facts& facts, MediaType type) {
  Truth truth;
  if (type == MediaType::kVideo || type == MediaType::kStream) {
    std::set<int> active;
    std::map<int, int> flashes;
    for (const Event& event : facts.events) {
      const ClipObject& object = facts.objects[static_cast<size_t>(event.object)];
      active.insert(event.object);
      const std::string who = object.colour + " " + object.shape;
      if (event.type == "move")
        truth.required.insert(who + " moves " + event.to);
      else if (event.type == "colour")
        truth.required.insert(event.from + " " + object.shape + " turns " + event.to);
      else if (event.type == "flash")
        ++flashes[event.object];
      else
        truth.required.insert(who + " " + event.type + "s");
    }
    for (const auto& [index, count] : flashes) {
      const ClipObject& object = facts.objects[static_cast<size_t>(index)];
      truth.required.insert(object.colour + " " + object.shape + " flashes " + std::to_string(count));
    }
    for (size_t i = 0; i < facts.objects.size(); ++i) {
      const ClipObject& object = facts.objects[i];
      const std::string who = object.colour + " " + object.shape;
      if (!active.contains(static_cast<int>(i))) truth.allowed.insert(who + " stays");
      // One of several that follow each other goes when the next comes: true, though nobody has to say it.
      if (object.visible_to_s < facts.duration_s && !flashes.contains(static_cast<int>(i)))
        truth.allowed.insert(who + " disappears");
    }
  } else if (!facts.images.empty()) {
    const ImageFacts& image = facts.images[0];
    std::map<std::string, int> counts;
    for (const ColouredShape what : shapes_of(image)) ++counts[name_of(what)];
    for (const auto& [what, count] : counts) truth.required.insert(std::to_string(count) + " " + what);
    for (const Item& a : image.items) {
      const auto first = parse_shape(a);
      if (!first || counts[name_of(*first)] > 1) continue;
      for (const std::string& position : positions_near(a.box, image.width, image.height))
        truth.allowed.insert(name_of(*first) + " at " + position);
      for (const Item& b : image.items) {
        const auto second = parse_shape(b);
        if (&a == &b || !second) continue;
        const float dx = a.box.centre_x() - b.box.centre_x(), dy = a.box.centre_y() - b.box.centre_y();
        // Whatever is true may be said, plain or not.
        const std::string who = name_of(*first), other = name_of(*second);
        if (dx != 0) truth.allowed.insert(who + (dx < 0 ? " left of " : " right of ") + other);
        if (dy != 0) truth.allowed.insert(who + (dy < 0 ? " above of " : " below of ") + other);
      }
    }
    // Of a background without a name nobody can say what is wrong.
    for (int i = 0; i < kColours; ++i) {
      const std::string colour(name_of(static_cast<Colour>(i)));
      if (image.background.empty() || image.background == colour)
        truth.allowed.insert("background " + colour);
    }
  }
  truth.allowed.insert(truth.required.begin(), truth.required.end());
  return truth;
}

bool caption_is_right(const std::string& caption, const Facts& facts, MediaType type) {
  const Truth truth = truth_of(facts, type);
  const std::set<std::string> claims = claims_of(caption);
  return std::includes(claims.begin(), claims.end(), truth.required.begin(), truth.required.end()) &&
         std::includes(truth.allowed.begin(), truth.allowed.end(), claims.begin(), claims.end());
}

}  // namespace vl3::synth
