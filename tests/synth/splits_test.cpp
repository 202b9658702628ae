// What is held out is never trained: shapes in colours, directions of colours, strings.
#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <set>

#include "synth/captions.h"
#include "synth/text_layout.h"
#include "synth/vocabulary.h"
#include "synth/walk.h"

namespace vl3::test {
namespace {

using namespace synth;

const std::set<std::string> kPrinted{"line", "value", "title", "bar", "point", "slice", "key"};

std::vector<std::string> held_out_pairs() {
  std::vector<std::string> pairs;
  for (int c = 0; c < kColours; ++c) {
    for (int s = 0; s < kShapes; ++s) {
      const auto colour = static_cast<Colour>(c);
      const auto shape = static_cast<Shape>(s);
      if (is_heldout(colour, shape)) {
        pairs.push_back(fmt::format("{} {}", name_of(colour), name_of(shape)));
        pairs.push_back(fmt::format("{} {}", name_of(colour), plural_of(shape)));
      }
    }
  }
  return pairs;
}

// Lower-case words with single spaces around and between.
std::string padded(const std::string& text) {
  std::string out = " ";
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (out.back() != ' ')
      out += ' ';
  }
  return out.back() == ' ' ? out : out + " ";
}

TEST(Vocabulary, HoldsOutOneShapeAndOneDirectionOfEveryColour) {
  std::set<int> shapes;
  for (int c = 0; c < kColours; ++c) {
    int held_shapes = 0, held_directions = 0;
    for (int s = 0; s < kShapes; ++s) {
      if (!is_heldout(static_cast<Colour>(c), static_cast<Shape>(s))) continue;
      ++held_shapes;
      shapes.insert(s);
    }
    for (int d = 0; d < kDirections; ++d)
      held_directions += is_heldout(static_cast<Colour>(c), static_cast<Direction>(d)) ? 1 : 0;
    EXPECT_EQ(held_shapes, 1);
    EXPECT_EQ(held_directions, 1);
  }
  EXPECT_EQ(shapes.size(), static_cast<size_t>(kShapes));
  EXPECT_FALSE(is_heldout("AB"));
  EXPECT_EQ(is_heldout("Bridge"), is_heldout("BRIDGE"));
  int held = 0;
  for (const std::string_view word : words()) held += is_heldout(word) ? 1 : 0;
  EXPECT_GT(held, static_cast<int>(words().size()) / 20);
  EXPECT_LT(held, static_cast<int>(words().size()) / 5);
}

TEST(Splits, TrainNeverHoldsWhatIsHeldOut) {
  SynthOptions options;
  options.seed = 11;
  options.answer_noise = 0.1;  // nor do wrong answers
  options.caption_noise = 0.3;
  options.image_codec = options.codec = Codec::kRaw;
  const std::vector<std::string> pairs = held_out_pairs();
  uint64_t samples = 0, shapes = 0, strings = 0, copied_pairs = 0;
  walk(options, 20, [&](const Sample& sample) {
    SCOPED_TRACE(sample.id);
    ++samples;
    for (const ImageFacts& image : sample.facts.images) {
      for (const Item& item : image.items) {
        if (const auto what = parse_shape(item)) {
          ++shapes;
          EXPECT_FALSE(is_heldout(what->colour, what->shape)) << item.colour << " " << item.label;
        }
        if (kPrinted.contains(item.type)) {
          ++strings;
          EXPECT_TRUE(
              obeys(item.label.substr(0, item.label.find(':') == item.label.size() - 1 ? item.label.size() - 1
                                                                                       : std::string::npos),
                    Split::kTrain))
              << item.label;
        }
      }
    }
    for (const Event& event : sample.facts.events) {
      if (event.type != "move") continue;
      for (int c = 0; c < kColours; ++c) {
        for (int d = 0; d < kDirections; ++d) {
          const auto colour = static_cast<Colour>(c);
          const auto direction = static_cast<Direction>(d);
          if (sample.facts.objects[static_cast<size_t>(event.object)].colour == name_of(colour) &&
              event.to == name_of(direction)) {
            EXPECT_FALSE(is_heldout(colour, direction));
          }
        }
      }
    }
    for (const Question& question : sample.questions) {
      // What is repeated as text may name any pair: only the sight of one is held out.
      const bool copies_shapes = question.kind == "text.copy" && question.query.contains("of");
      for (const std::string& said : {padded(question.text), padded(question.answer)}) {
        for (const std::string& pair : pairs) {
          const bool named = said.find(" " + pair + " ") != std::string::npos;
          if (copies_shapes) {
            copied_pairs += named ? 1 : 0;
          } else {
            EXPECT_FALSE(named) << said;
          }
        }
      }
      if (sample.type == MediaType::kText) {
        for (const char* key : {"text", "keys", "values"}) {
          const auto found = question.query.find(key);
          if (found == question.query.end() || copies_shapes) continue;
          std::string spaced = found->second;
          for (char& c : spaced) c = c == '|' ? ' ' : c;
          EXPECT_TRUE(obeys(spaced, Split::kTrain)) << spaced;
        }
      } else if (question.query.contains("text")) {
        EXPECT_TRUE(obeys(question.query.at("text"), Split::kTrain)) << question.query.at("text");
      }
    }
  });
  EXPECT_GT(samples, 5000U);
  EXPECT_GT(shapes, 5000U);
  EXPECT_GT(strings, 5000U);
  EXPECT_GT(copied_pairs, 0U);
}

TEST(Splits, HeldOutSamplesShowSomethingNew) {
  SynthOptions options;
  options.split = Split::kHeldout;
  options.image_codec = options.codec = Codec::kRaw;
  options.mixture = {{"scene", {}, 1}, {"video", {"f2", "f5"}, 1}, {"multi", {"one", "few"}, 1}};
  std::map<std::string, int> pairs;
  walk(options, 10, [&](const Sample& sample) {
    bool novel = false, moved = false, new_direction = false;
    for (const ImageFacts& image : sample.facts.images) {
      for (const Item& item : image.items) {
        const auto what = parse_shape(item);
        if (!what || !is_heldout(what->colour, what->shape)) continue;
        novel = true;
        ++pairs[item.colour + " " + item.label];
      }
    }
    for (const Event& event : sample.facts.events) {
      if (event.type != "move") continue;
      moved = true;
      for (int c = 0; c < kColours; ++c) {
        for (int d = 0; d < kDirections; ++d) {
          new_direction =
              new_direction || (sample.facts.objects[0].colour == name_of(static_cast<Colour>(c)) &&
                                event.to == name_of(static_cast<Direction>(d)) &&
                                is_heldout(static_cast<Colour>(c), static_cast<Direction>(d)));
        }
      }
    }
    // "Which is the odd one" holds one new shape among old ones, or the other way round.
    EXPECT_TRUE(novel) << sample.id;
    EXPECT_EQ(moved, new_direction) << sample.id;
  });
  EXPECT_EQ(pairs.size(), static_cast<size_t>(kColours));
}

}  // namespace
}  // namespace vl3::test
