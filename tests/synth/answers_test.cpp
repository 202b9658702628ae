// Every answer of the generator derived anew from facts and query, by code that shares nothing with the
// families.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "synth/walk.h"

namespace vl3::test {
namespace {

using namespace synth;
using Query = std::map<std::string, std::string>;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts, const std::string& with) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i > 0 ? with : "") + parts[i];
  return text;
}

std::vector<Item> of_type(const ImageFacts& image, const std::set<std::string>& types) {
  std::vector<Item> items;
  for (const Item& item : image.items) {
    if (types.contains(item.type)) items.push_back(item);
  }
  return items;
}

std::string full(const Item& item) { return item.colour + " " + item.label; }

// "red circle", "circle", "red shape" …: the item it can only mean, or nothing.
const Item* named(const std::vector<Item>& items, const std::string& name) {
  const Item* found = nullptr;
  for (const Item& item : items) {
    if (full(item) != name) continue;
    if (found != nullptr) return nullptr;
    found = &item;
  }
  return found;
}

std::string side(const Item& a, const Item& b) {
  const float dx = (a.box.x0 + a.box.x1 - b.box.x0 - b.box.x1) / 2,
              dy = (a.box.y0 + a.box.y1 - b.box.y0 - b.box.y1) / 2;
  return std::abs(dx) > std::abs(dy) ? (dx < 0 ? "left" : "right") : (dy < 0 ? "above" : "below");
}

std::string cell(const Box& box, const ImageFacts& image) {
  const double x = (box.x0 + box.x1) / 2.0 / image.width, y = (box.y0 + box.y1) / 2.0 / image.height;
  const std::string column = x < 1.0 / 3   ? "left"
                             : x < 2.0 / 3 ? ""
                                           : "right",
                    row = y < 1.0 / 3   ? "top"
                          : y < 2.0 / 3 ? ""
                                        : "bottom";
  if (row.empty() && column.empty()) return "middle";
  return row + (row.empty() || column.empty() ? "" : " ") + column;
}

Box bounds(const std::vector<Item>& items) {
  Box box = items.at(0).box;
  for (const Item& item : items)
    box = {std::min(box.x0, item.box.x0), std::min(box.y0, item.box.y0), std::max(box.x1, item.box.x1),
           std::max(box.y1, item.box.y1)};
  return box;
}

using Answer = std::optional<std::string>;

Answer scene(const Sample& sample, const std::string& kind, const Question& q) {
  const ImageFacts& image = sample.facts.images[0];
  const std::vector<Item> shapes = of_type(image, {"shape"});
  const auto get = [&](const char* key) { return q.query.at(key); };
  const auto matching = [&](const Query& query) {
    return std::count_if(shapes.begin(), shapes.end(), [&](const Item& i) {
      return (!query.contains("shape") || query.at("shape") == i.label) &&
             (!query.contains("colour") || query.at("colour") == i.colour);
    });
  };
  if (kind == "colour" || kind == "shape") {
    std::set<std::string> answers;
    for (const Item& i : shapes) {
      if (kind == "colour" ? i.label == get("shape") : i.colour == get("colour"))
        answers.insert(kind == "colour" ? i.colour : i.label);
    }
    return answers.size() == 1 ? Answer(*answers.begin()) : std::nullopt;
  }
  if (kind == "count") return std::to_string(matching(q.query));
  if (kind == "exists") return matching(q.query) > 0 ? "yes" : "no";
  if (kind == "relation_check")
    return side(*named(shapes, get("a")), *named(shapes, get("b"))) == get("relation") ? "yes" : "no";
  if (kind == "relation") {
    if (!q.query.contains("relation")) return side(*named(shapes, get("a")), *named(shapes, get("b")));
    std::vector<std::string> there;
    for (const Item& i : shapes) {
      if (full(i) != get("b") && side(i, *named(shapes, get("b"))) == get("relation"))
        there.push_back(full(i));
    }
    return there.size() == 1 ? Answer(there[0]) : std::nullopt;
  }
  if (kind == "position") return cell(named(shapes, get("a"))->box, image);
  if (kind == "background") return image.background;
  if (kind == "odd") {
    for (const Item& i : shapes) {
      if (std::count_if(shapes.begin(), shapes.end(), [&](const Item& o) { return full(o) == full(i); }) == 1)
        return full(i);
    }
  }
  return std::nullopt;
}

Answer ocr(const Sample& sample, const std::string& kind, const Question& q) {
  const ImageFacts& image = sample.facts.images[0];
  const std::vector<Item> lines = of_type(image, {"line"});
  std::vector<std::string> texts, words;
  for (const Item& line : lines) {
    texts.push_back(line.label);
    for (const std::string& word : split(line.label, ' ')) words.push_back(word);
  }
  if (kind == "read") {
    std::string characters;  // the boxes of the characters spell the same
    for (const Item& item : of_type(image, {"char"})) characters += item.label;
    EXPECT_EQ(characters, joined(words, ""));
    return joined(texts, " ");
  }
  if (kind == "line") return texts.at(std::stoul(q.query.at("line")) - 1);
  if (kind == "word") return words.at(std::stoul(q.query.at("word")) - 1);
  if (kind == "exists")
    return std::find(words.begin(), words.end(), q.query.at("text")) != words.end() ? "yes" : "no";
  if (kind == "locate") return cell(bounds(lines), image);
  if (kind == "colour") return lines[0].colour;
  if (kind == "count")
    return std::to_string(q.query.at("of") == "lines"   ? lines.size()
                          : q.query.at("of") == "words" ? words.size()
                                                        : texts[0].size());
  return std::nullopt;
}

Answer document(const Sample& sample, const std::string& kind, const Question& q) {
  // From the printed lines alone, top to bottom; fields only for grids.
  const ImageFacts& image = sample.facts.images[0];
  std::vector<std::string> keys, values;
  for (const Item& item : of_type(image, {"key"}))
    keys.push_back(item.label.ends_with(':') ? item.label.substr(0, item.label.size() - 1) : item.label);
  for (const Item& item : of_type(image, {"value"})) values.push_back(item.label);
  const bool grid = keys.size() != values.size();
  if (kind == "title") return of_type(image, {"title"}).at(0).label;
  if (kind == "cell") return sample.facts.fields.at(q.query.at("row") + "/" + q.query.at("column"));
  if (kind == "exists")
    return std::find(keys.begin(), keys.end(), q.query.at("key")) != keys.end() ? "yes" : "no";
  if (kind == "count") {
    // The names of columns stand above all values, those of rows beside them.
    const float top = of_type(image, {"value"}).at(0).box.y0;
    const std::vector<Item> names = of_type(image, {"key"});
    const auto rows =
        std::count_if(names.begin(), names.end(), [&](const Item& name) { return name.box.y1 > top; });
    return std::to_string(q.level == "receipt" ? rows - 1 : rows);
  }
  for (size_t i = 0; i < keys.size() && !grid; ++i) {
    if ((kind == "field" || kind == "total") && keys[i] == q.query.at("key")) return values[i];
    if (kind == "key" && values[i] == q.query.at("value")) return keys[i];
  }
  if (kind == "fields") {
    std::vector<std::string> parts;
    for (size_t i = 0; i < keys.size(); ++i) parts.push_back(keys[i] + ": " + values[i]);
    return joined(parts, ", ");
  }
  return std::nullopt;
}

Answer chart(const Sample& sample, const std::string& kind, const Question& q) {
  const std::vector<std::string> order = split(sample.facts.fields.at("#order"), ',');
  std::vector<int> values;
  for (const std::string& name : order) values.push_back(std::stoi(sample.facts.fields.at(name)));
  const auto value = [&](const std::string& name) { return std::stoi(sample.facts.fields.at(name)); };
  // What is printed agrees with the table of values.
  std::vector<std::string> printed, wanted;
  for (const Item& item : of_type(sample.facts.images[0], {"value"})) printed.push_back(item.label);
  for (const int v : values) wanted.push_back(std::to_string(v));
  if (!printed.empty()) {
    EXPECT_EQ(printed, wanted);
  }
  const size_t most = static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
  const size_t least = static_cast<size_t>(std::min_element(values.begin(), values.end()) - values.begin());
  if (kind == "highest") return order[most];
  if (kind == "lowest") return order[least];
  if (kind == "highest_value") return wanted[q.query.at("extreme") == "highest" ? most : least];
  if (kind == "values") return joined(wanted, ", ");
  if (kind == "pairs") {
    std::vector<std::string> parts;
    for (size_t i = 0; i < order.size(); ++i) parts.push_back(order[i] + " " + wanted[i]);
    return joined(parts, ", ");
  }
  if (kind == "value") return std::to_string(value(q.query.at("name")));
  if (kind == "which")
    return order[static_cast<size_t>(std::find(wanted.begin(), wanted.end(), q.query.at("value")) -
                                     wanted.begin())];
  if (kind == "compare" || kind == "compare_check") {
    const bool first =
        (value(q.query.at("a")) > value(q.query.at("b"))) == (q.query.at("relation") == "higher");
    return kind == "compare" ? q.query.at(first ? "a" : "b") : first ? "yes" : "no";
  }
  if (kind == "difference") return std::to_string(std::abs(value(q.query.at("a")) - value(q.query.at("b"))));
  if (kind == "count") return std::to_string(order.size());
  if (kind == "colour") {
    for (const Item& item : of_type(sample.facts.images[0], {"bar", "point", "slice"})) {
      if (item.label == q.query.at("name")) return item.colour;
    }
  }
  return std::nullopt;
}

Answer multi(const Sample& sample, const std::string& kind, const Question& q) {
  const std::vector<std::string> ordinals{"first", "second", "third"};
  std::vector<std::vector<Item>> shapes;
  std::vector<std::string> texts;
  for (const ImageFacts& image : sample.facts.images) {
    shapes.push_back(of_type(image, {"shape"}));
    for (const Item& item : of_type(image, {"line"})) texts.push_back(item.label);
  }
  if (kind == "images") return std::to_string(shapes.size());
  if (kind == "read") return texts.at(std::stoul(q.query.at("image")) - 1);
  if (kind == "which_text")
    return ordinals[static_cast<size_t>(std::find(texts.begin(), texts.end(), q.query.at("text")) -
                                        texts.begin())];
  if (kind == "which") {
    std::vector<size_t> there;
    const std::string& thing = q.query.at("thing");
    for (size_t i = 0; i < shapes.size(); ++i) {
      if (std::any_of(shapes[i].begin(), shapes[i].end(), [&](const Item& s) {
            return s.label == thing || full(s) == thing || s.colour + " shape" == thing;
          }))
        there.push_back(i);
    }
    return there.size() == 1 ? Answer(ordinals[there[0]]) : std::nullopt;
  }
  if (kind == "more") {
    std::vector<size_t> best;
    const bool more = q.query.at("relation") == "more";
    for (size_t i = 0; i < shapes.size(); ++i) {
      if (std::all_of(shapes.begin(), shapes.end(), [&](const auto& other) {
            return more ? other.size() <= shapes[i].size() : other.size() >= shapes[i].size();
          }))
        best.push_back(i);
    }
    return best.size() == 1 ? Answer(ordinals[best[0]]) : std::nullopt;
  }
  if (kind == "count") {
    size_t n = 0;
    for (size_t i = 0; i < shapes.size(); ++i) {
      if (q.query.at("image") == "all" || q.query.at("image") == std::to_string(i + 1)) n += shapes[i].size();
    }
    return std::to_string(n);
  }
  if (kind == "colour") {
    for (const Item& s : shapes.at(std::stoul(q.query.at("image")) - 1)) {
      if (s.label == q.query.at("shape")) return s.colour;
    }
    return std::nullopt;
  }
  std::multiset<std::string> before, after;
  for (const Item& s : shapes[0]) before.insert(full(s));
  for (const Item& s : shapes[1]) after.insert(full(s));
  if (kind == "same") return before == after ? "yes" : "no";
  std::vector<std::string> gone, come;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(gone));
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(come));
  if (gone.empty() && come.empty()) return "nothing";
  if (gone.empty()) return (come[0][0] == 'o' ? "an " : "a ") + come[0] + " appeared";
  if (come.empty()) return "the " + gone[0] + " disappeared";
  return "the " + gone[0] + " turned " + split(come[0], ' ')[0];
}

Answer text(const std::string& kind, const Question& q) {
  const auto get = [&](const char* key) { return q.query.at(key); };
  const std::vector<std::string> words =
      q.query.contains("text") ? split(get("text"), ' ') : std::vector<std::string>{};
  const std::vector<std::string> keys =
      q.query.contains("keys") ? split(get("keys"), '|') : std::vector<std::string>{};
  const std::vector<std::string> values =
      q.query.contains("values") ? split(get("values"), '|') : std::vector<std::string>{};
  const auto at = [&](const std::string& key) {
    return values[static_cast<size_t>(std::find(keys.begin(), keys.end(), key) - keys.begin())];
  };
  if (!words.empty()) {
    EXPECT_TRUE(kind == "instruct" || q.text.find(get("text")) != std::string::npos) << q.text;
  }
  if (kind == "copy" || kind == "characters") return get("text");
  if (kind == "reverse") return joined({words.rbegin(), words.rend()}, " ");
  if (kind == "first") return words.front();
  if (kind == "last") return words.back();
  if (kind == "count") return std::to_string(words.size());
  if (kind == "value") return at(get("key"));
  if (kind == "values") {
    std::vector<std::string> found;
    for (const std::string& key : split(get("asked"), '|')) found.push_back(at(key));
    return joined(found, ", ");
  }
  if (kind == "key")
    return keys[static_cast<size_t>(std::find(values.begin(), values.end(), get("value")) - values.begin())];
  if (kind == "highest") {
    size_t best = 0;
    for (size_t i = 0; i < values.size(); ++i)
      best = std::stoi(values[i]) > std::stoi(values[best]) ? i : best;
    return keys[best];
  }
  if (kind == "compare")
    return (std::stoi(at(get("a"))) > std::stoi(at(get("b")))) == (get("relation") == "higher") ? get("a")
                                                                                                : get("b");
  if (kind == "sums")
    return std::to_string(get("sign") == "-" ? std::stoi(get("a")) - std::stoi(get("b"))
                                             : std::stoi(get("a")) + std::stoi(get("b")));
  if (kind == "when") return get("from_s") + "-" + get("to_s") + " s";
  if (kind == "places")
    return get("mode") == "0" ? get("a") : get("mode") == "1" ? get("b") : split(get("a"), ' ')[0];
  if (kind == "instruct") {
    std::string upper = q.query.contains("word") ? get("word") : "";
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return get("task") == "capitals" ? upper
           : get("task") == "twice"  ? get("word") + " " + get("word")
                                     : get("task");
  }
  if (kind == "talk") return q.answer;  // a table of its own
  return std::nullopt;
}

// From what is in the frames alone: which objects, where, in which colour.
struct Seen {
  std::map<int, std::vector<size_t>> frames;  // of each object
  std::map<int, std::vector<const Item*>> items;
};

Answer video(const Sample& sample, const std::string& kind, const Question& q) {
  Seen seen;
  for (size_t i = 0; i < sample.facts.images.size(); ++i) {
    for (const Item& item : sample.facts.images[i].items) {
      seen.frames[item.object].push_back(i);
      seen.items[item.object].push_back(&item);
    }
  }
  const auto time = [&](size_t frame) { return static_cast<double>(frame) / sample.fps; };
  const auto name = [&](int object) { return full(*seen.items.at(object).front()); };
  const auto object_of = [&](const std::string& wanted) {
    for (const auto& [object, items] : seen.items) {
      if (full(*items.front()) == wanted || items.front()->label == wanted) return object;
    }
    return -1;
  };
  const auto attribute = [&](int object) {
    const Item& item = *seen.items.at(object).front();
    if (!q.query.contains("attribute")) return full(item);
    return q.query.at("attribute") == "shape" ? item.label : item.colour;
  };
  std::vector<int> order;  // by first appearance
  for (const auto& [object, frames] : seen.frames) order.push_back(object);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return seen.frames[a].front() < seen.frames[b].front(); });
  const auto moved = [&](int object) {
    const Box &a = seen.items[object].front()->box, &b = seen.items[object].back()->box;
    return std::pair((b.x0 + b.x1 - a.x0 - a.x1) / 2, (b.y0 + b.y1 - a.y0 - a.y1) / 2);
  };
  const size_t last = sample.facts.images.size() - 1;
  if (kind == "direction" || kind == "moves") {
    for (const int object : order) {
      const auto [dx, dy] = moved(object);
      if (std::max(std::abs(dx), std::abs(dy)) < 2) continue;
      if (kind == "moves") return attribute(object);
      return std::abs(dx) > std::abs(dy) ? (dx < 0 ? "left" : "right") : (dy < 0 ? "up" : "down");
    }
    return std::nullopt;
  }
  if (kind == "first") return attribute(order.front());
  if (kind == "last") return attribute(order.back());
  if (kind == "after" || kind == "before") {
    const auto at = std::find(order.begin(), order.end(), object_of(q.query.at(kind)));
    return name(kind == "after" ? *(at + 1) : *(at - 1));
  }
  if (kind == "appears" || kind == "needle") {
    for (const int object : order) {
      if (seen.frames[object].front() > 0) return attribute(object);
    }
    return std::nullopt;
  }
  if (kind == "disappears") {
    for (const int object : order) {
      if (seen.frames[object].back() < last) return attribute(object);
    }
    return std::nullopt;
  }
  if (kind == "colour_from" || kind == "colour_to" || kind == "changes") {
    for (const int object : order) {
      const auto& items = seen.items[object];
      if (items.front()->colour == items.back()->colour) continue;
      return kind == "changes"       ? items.front()->label
             : kind == "colour_from" ? items.front()->colour
                                     : items.back()->colour;
    }
    return std::nullopt;
  }
  if (kind == "flashes") {
    const auto& frames = seen.frames.at(object_of(q.query.at("a")));
    int flashes = 1;
    for (size_t i = 1; i < frames.size(); ++i) flashes += frames[i] != frames[i - 1] + 1 ? 1 : 0;
    return std::to_string(flashes);
  }
  if (kind == "state") {
    const size_t frame = static_cast<size_t>(std::lround(std::stod(q.query.at("time_s")) * sample.fps));
    const auto& items = sample.facts.images.at(frame).items;
    if (q.query.contains("shape")) {
      for (const Item& item : items) {
        if (item.label == q.query.at("shape")) return item.colour;
      }
    } else if (q.query.contains("a")) {
      return std::any_of(items.begin(), items.end(),
                         [&](const Item& i) { return full(i) == q.query.at("a"); })
                 ? "yes"
                 : "no";
    } else if (items.size() == 1) {
      return full(items[0]);
    }
    return std::nullopt;
  }
  if (kind == "when") {
    const int object = object_of(q.query.at("a"));
    const auto& frames = seen.frames.at(object);
    const auto& items = seen.items.at(object);
    double from = time(frames.front()), to = time(frames.back() + 1);
    if (q.query.at("event") == "move") {
      size_t first = 0, end = items.size() - 1;
      const auto same = [&](size_t a, size_t b) {
        return std::abs(items[a]->box.x0 - items[b]->box.x0) + std::abs(items[a]->box.y0 - items[b]->box.y0) <
               0.01;
      };
      while (first + 1 < items.size() && same(first, first + 1)) ++first;
      while (end > 0 && same(end, end - 1)) --end;
      from = time(first), to = time(end);
    } else if (q.query.at("event") != "visible") {
      std::vector<size_t> in_colour;
      for (size_t i = 0; i < items.size(); ++i) {
        if (items[i]->colour == q.query.at("event")) in_colour.push_back(frames[i]);
      }
      from = time(in_colour.front()), to = time(in_colour.back() + 1);
    }
    return fmt::format("{:.1f}-{:.1f} s", from, to);
  }
  if (kind == "colour" || kind == "shape") {
    for (const auto& [object, items] : seen.items) {
      if (kind == "colour" && items.front()->label == q.query.at("shape")) return items.front()->colour;
      if (kind == "shape" && items.front()->colour == q.query.at("colour")) return items.front()->label;
    }
    return std::nullopt;
  }
  if (kind == "count") return std::to_string(order.size());
  return std::nullopt;
}

TEST(GeneratedAnswers, FollowFromTheFacts) {
  SynthOptions options;
  options.seed = 21;
  options.split = Split::kAll;
  options.image_codec = options.codec = Codec::kRaw;  // facts do not depend on it
  uint64_t checked = 0;
  std::set<std::string> kinds;
  walk(options, 15, [&](const Sample& sample) {
    for (const Question& question : sample.questions) {
      if (question.form == AnswerForm::kCaption) continue;  // captions_test
      const size_t dot = question.kind.find('.');
      const std::string family = question.kind.substr(0, dot), kind = question.kind.substr(dot + 1);
      const Answer answer = family == "scene"      ? scene(sample, kind, question)
                            : family == "ocr"      ? ocr(sample, kind, question)
                            : family == "document" ? document(sample, kind, question)
                            : family == "chart"    ? chart(sample, kind, question)
                            : family == "multi"    ? multi(sample, kind, question)
                            : family == "text"     ? text(kind, question)
                                                   : video(sample, kind, question);
      ASSERT_TRUE(answer.has_value()) << sample.id << ": " << question.text << " -> " << question.answer;
      EXPECT_EQ(*answer, question.answer) << sample.id << ": " << question.text;
      ++checked;
      kinds.insert(question.kind);
    }
  });
  EXPECT_GT(checked, 15'000U);
  EXPECT_GT(kinds.size(), 70U);
}

TEST(GeneratedAnswers, OfLongClipsFollowFromTheFacts) {
  SynthOptions options;
  options.mixture = {{"long", {"minute"}, 1}, {"video", {"f32"}, 1}};
  options.image_codec = options.codec = Codec::kRaw;
  walk(
      options, 1,
      [](const Sample& sample) {
        for (const Question& question : sample.questions) {
          if (question.form == AnswerForm::kCaption) continue;
          const Answer answer = video(sample, question.kind.substr(question.kind.find('.') + 1), question);
          ASSERT_TRUE(answer.has_value()) << sample.id << ": " << question.text;
          EXPECT_EQ(*answer, question.answer) << sample.id << ": " << question.text;
        }
      },
      /*with_long=*/true);
}

// Words of answers that are not read off a picture are the ones users are promised.
TEST(GeneratedAnswers, StayWithinTheVocabulary) {
  std::set<std::string> known{"yes",    "no",    "top",     "bottom",   "middle",      "left",
                              "right",  "above", "below",   "up",       "down",        "first",
                              "second", "third", "nothing", "appeared", "disappeared", "turned",
                              "the",    "a",     "an",      "s"};
  for (int i = 0; i < kShapes; ++i) known.emplace(name_of(static_cast<Shape>(i)));
  for (int i = 0; i < kColours; ++i) known.emplace(name_of(static_cast<Colour>(i)));
  for (int i = 0; i <= 99; ++i) known.insert(std::to_string(i));
  SynthOptions options;
  options.image_codec = options.codec = Codec::kRaw;
  options.mixture = {
      {"scene", {}, 1}, {"video", {"f2", "f3", "f5", "f8"}, 1}, {"multi", {"one", "few", "change"}, 1}};
  walk(options, 10, [&](const Sample& sample) {
    for (const Question& question : sample.questions) {
      if (question.form != AnswerForm::kExact) continue;
      for (const std::string& word : split(question.answer, ' '))
        EXPECT_TRUE(known.contains(word)) << question.answer;
      if (question.text.find("How many") != std::string::npos) {
        EXPECT_LE(std::stoi(question.answer), kMaxNumber);
      }
    }
  });
}

}  // namespace
}  // namespace vl3::test
