// text.*: questions without media: copying, looking up, small sums, instructions, and who is speaking.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "synth/family.h"
#include "synth/scene_layout.h"
#include "synth/text_layout.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

enum LevelIndex { kShort, kMedium, kLong };

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

int how_many(Rng& rng, int level) {
  return level == kShort ? rng.between(1, 2) : level == kMedium ? rng.between(2, 4) : rng.between(4, 7);
}

// Distinct words or strings; the first is held out in that split.
std::vector<std::string> some_words(Rng& rng, Split split, int count) {
  std::vector<std::string> words;
  const bool strings = rng.chance(0.25);
  const double names = rng.real();  // of shapes, or of colours: side by side they could make a held-out pair
  while (static_cast<int>(words.size()) < count) {
    const Split own = split == Split::kHeldout && !words.empty() && rng.chance(0.5) ? Split::kAll : split;
    std::string word =
        strings
            ? pick_string(rng, own, rng.between(2, 5),
                          rng.pick({Alphabet::kCapitals, Alphabet::kDigits, Alphabet::kCapitalsAndDigits}))
        : names < 0.08 && rng.chance(0.6) ? std::string(name_of(static_cast<Shape>(rng.below(kShapes))))
        : names > 0.92 && rng.chance(0.6) ? std::string(name_of(static_cast<Colour>(rng.below(kColours))))
                                          : pick_cased_word(rng, own);
    if (!obeys(word, split == Split::kTrain ? split : Split::kAll)) continue;
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
  }
  rng.shuffle(words);
  return words;
}

// "A purple rectangle, two red stars". Any pair in any split, as language has them: a decoder that never met
// the words of a pair side by side would not say them of a picture either, however well it sees. In pictures,
// clips and questions about them pairs stay held out.
std::vector<std::string> some_shapes(Rng& rng, int count) {
  std::vector<std::string> phrases;
  while (static_cast<int>(phrases.size()) < count) {
    const ColouredShape what = pick_pair(rng, Split::kAll, false);
    const int n = rng.chance(0.75) ? 1 : rng.between(2, kMaxNumber);
    const std::string name =
        n == 1 ? name_of(what) : fmt::format("{} {}", name_of(what.colour), plural_of(what.shape));
    phrases.push_back(n > 1             ? fmt::format("{} {}", number_word(n), name)
                      : rng.chance(0.5) ? fmt::format("{} {}", article_of(name), name)
                                        : name);
  }
  return phrases;
}

Question about_words(Rng& rng, const Request& request, std::string_view kind) {
  Question q;
  const int least = kind == "copy" ? 1 : 2, count = std::max(least, how_many(rng, request.level));
  const bool shapes = kind == "copy" && request.options.split != Split::kHeldout && rng.chance(0.3);
  const std::vector<std::string> words =
      shapes ? some_shapes(rng, count) : some_words(rng, request.options.split, count);
  const std::string list = join_words(words, " ");
  std::string text;
  const std::string_view between = !shapes ? " " : rng.pick({", ", " and ", " "});
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(between)) + word;
  const Slots slots{{"t", text}};
  q.query = {{"text", text}};
  if (shapes) q.query["of"] = "shapes";
  if (kind == "copy") {
    q.text = say(rng,
                 {"Repeat: {t}", "Repeat the text: {t}", "Copy this: {t}", "Say \"{t}\".", "Write {t}",
                  "Please write the following: {t}", "Repeat after me: {t}", "Echo {t}"},
                 slots);
    q.answer = text;
  } else if (kind == "reverse") {
    q.text = say(rng,
                 {"Write the words in reverse order: {t}", "Reverse the order of the words: {t}",
                  "Say these words backwards, from the last to the first: {t}"},
                 slots);
    for (auto word = words.rbegin(); word != words.rend(); ++word)
      q.answer += (q.answer.empty() ? "" : " ") + *word;
  } else if (kind == "first" || kind == "last") {
    q.text = kind == "first" ? say(rng,
                                   {"What is the first word? {t}", "What is the first word of: {t}",
                                    "Which word comes first: {t}", "Give only the first word: {t}"},
                                   slots)
                             : say(rng,
                                   {"What is the last word? {t}", "What is the last word of: {t}",
                                    "Which word comes last: {t}", "Give only the last word: {t}"},
                                   slots);
    q.answer = kind == "first" ? words.front() : words.back();
    q.options = words;
  } else if (kind == "count") {
    q.text = say(rng,
                 {"How many words are there? {t}", "How many words: {t}", "Count the words: {t}",
                  "How many words are in \"{t}\"?"},
                 slots);
    q.answer = std::to_string(words.size());
    q.options = number_options(2, 7);
  } else {
    const bool capital = rng.chance(0.4);
    const std::string word = rng.pick(words);
    q.query["word"] = word;
    if (capital) {
      q.query["task"] = "capitals";
      q.text = say(rng, {"Write {w} in capital letters.", "Write {w} in capitals.", "Put {w} in upper case."},
                   {{"w", word}});
      q.answer = upper(word);
    } else if (rng.chance(0.5)) {
      q.query["task"] = "twice";
      q.text = say(rng, {"Say {w} twice.", "Write {w} two times.", "Repeat {w} two times."}, {{"w", word}});
      q.answer = word + " " + word;
    } else {
      const bool yes = rng.chance(0.5);
      q.query["task"] = yes ? "yes" : "no";
      q.text = say(rng, {"Answer with {y}.", "Say {y}.", "Just say {y}.", "Please answer {y}."},
                   {{"y", yes ? "yes" : "no"}});
      q.answer = yes ? "yes" : "no";
    }
  }
  return q;
}

// Letters and digits one by one: each of them is a token that must be found again in the question.
Question about_characters(Rng& rng, const Request& request) {
  const int count = request.level == kShort    ? rng.between(3, 6)
                    : request.level == kMedium ? rng.between(6, 12)
                                               : rng.between(12, 24);
  const std::string_view between = rng.pick({" ", ", ", " / "});
  std::string text;
  for (int i = 0; i < count; ++i)
    text +=
        (i > 0 ? std::string(between) : "") + pick_string(rng, Split::kAll, 1, Alphabet::kCapitalsAndDigits);
  Question q;
  q.query = {{"text", text}};
  q.text = say(rng, {"Copy: {t}", "Repeat: {t}", "Repeat the characters: {t}", "Write {t}"}, {{"t", text}});
  q.answer = text;
  return q;
}

Question about_pairs(Rng& rng, const Request& request, std::string_view kind) {
  const Split split = request.options.split;
  const int count = std::max(2, how_many(rng, request.level)) + (kind == "values" ? 1 : 0);
  const bool letters = rng.chance(kind == "values" ? 0.7 : 0.4);
  std::vector<std::string> keys, values;
  while (static_cast<int>(keys.size()) < count) {
    const Split own = split == Split::kHeldout && !keys.empty() ? Split::kAll : split;
    std::string key =
        letters ? std::string(1, static_cast<char>('A' + rng.below(26))) : pick_cased_word(rng, own);
    std::string value =
        kind != "value" && kind != "key" ? std::to_string(rng.between(1, 99))
        : rng.chance(0.6)
            ? std::to_string(rng.between(1, 99))
            : pick_value(rng, own, rng.pick({ValueSort::kWord, ValueSort::kName, ValueSort::kCode}));
    if (std::find(keys.begin(), keys.end(), key) != keys.end() ||
        std::find(values.begin(), values.end(), value) != values.end())
      continue;
    keys.push_back(std::move(key));
    values.push_back(std::move(value));
  }
  std::string list;
  const std::string_view between = rng.pick({": ", " = ", " is ", " "}), after = rng.pick({", ", "; ", "\n"});
  for (int i = 0; i < count; ++i)
    list += fmt::format("{}{}{}{}", i > 0 ? after : "", keys[static_cast<size_t>(i)], between,
                        values[static_cast<size_t>(i)]);
  const int pick = rng.below(count);
  Question q;
  q.query = {{"keys", fmt::format("{}", fmt::join(keys, "|"))},
             {"values", fmt::format("{}", fmt::join(values, "|"))}};
  const std::string& key = keys[static_cast<size_t>(pick)];
  const std::string& value = values[static_cast<size_t>(pick)];
  if (kind == "values") {
    std::vector<int> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    rng.shuffle(order);
    order.resize(static_cast<size_t>(rng.between(2, count)));
    std::vector<std::string> asked, found;
    for (const int i : order) {
      asked.push_back(keys[static_cast<size_t>(i)]);
      found.push_back(values[static_cast<size_t>(i)]);
    }
    q.query["asked"] = fmt::format("{}", fmt::join(asked, "|"));
    q.text = say(rng,
                 {"{l}. What are {k}?", "{l}. What are the values of {k}?", "Given {l}, what are {k}?",
                  "{l}\nWhat are {k}?"},
                 {{"l", list}, {"k", fmt::format("{}", fmt::join(asked, ", "))}});
    q.answer = fmt::format("{}", fmt::join(found, ", "));
  } else if (kind == "value") {
    q.query["key"] = key;
    q.text = say(rng,
                 {"{l}. What is {k}?", "{l}. What is the value of {k}?", "Given {l}, what is {k}?",
                  "{l}\nWhat is {k}?", "{l}. Which value has {k}?"},
                 {{"l", list}, {"k", key}});
    q.answer = value;
    q.options = values;
  } else if (kind == "key") {
    q.query["value"] = value;
    q.text = say(rng,
                 {"{l}. Which one is {v}?", "{l}. Which has the value {v}?", "Given {l}, which is {v}?",
                  "{l}\nWhat has the value {v}?"},
                 {{"l", list}, {"v", value}});
    q.answer = key;
    q.options = keys;
  } else if (kind == "highest") {
    q.text = say(rng,
                 {"{l}. Which is the highest?", "{l}. Which one is highest?",
                  "Given {l}, which has the highest value?", "{l}\nWhich is the largest?"},
                 {{"l", list}});
    size_t best = 0;
    for (size_t i = 1; i < values.size(); ++i)
      best = std::stoi(values[i]) > std::stoi(values[best]) ? i : best;
    q.answer = keys[best];
    q.options = keys;
  } else {
    const int other = (pick + 1) % count;
    const bool higher = rng.chance(0.6);
    q.query["a"] = key;
    q.query["b"] = keys[static_cast<size_t>(other)];
    q.query["relation"] = higher ? "higher" : "lower";
    q.text = say(rng,
                 {"{l}. Which is {r}, {a} or {b}?", "Given {l}, which is {r}, {a} or {b}?",
                  "{l}\nWhich one is {r}, {a} or {b}?"},
                 {{"l", list}, {"r", q.query["relation"]}, {"a", key}, {"b", q.query["b"]}});
    const bool first = (std::stoi(value) > std::stoi(values[static_cast<size_t>(other)])) == higher;
    q.answer = first ? key : q.query["b"];
    q.options = {key, q.query["b"]};
  }
  return q;
}

Question about_sums(Rng& rng, const Request& request) {
  Question q;
  const int most = request.level == kShort ? 6 : kMaxNumber;
  int a = rng.between(0, most), b = rng.between(0, most);
  const bool minus = rng.chance(0.45);
  if (minus && a < b) std::swap(a, b);
  const std::string left = rng.chance(0.2) ? number_word(a) : std::to_string(a),
                    right = rng.chance(0.2) ? number_word(b) : std::to_string(b);
  q.query = {{"a", std::to_string(a)}, {"b", std::to_string(b)}, {"sign", minus ? "-" : "+"}};
  q.text =
      say(rng,
          {"What is {a} {s} {b}?", "{a} {s} {b} =", "How much is {a} {s} {b}?", "Calculate {a} {s} {b}.",
           "{a} {s} {b}?"},
          {{"a", left}, {"b", right}, {"s", minus ? rng.pick({"-", "minus"}) : rng.pick({"+", "plus"})}});
  q.answer = std::to_string(minus ? a - b : a + b);
  q.options = number_options(0, 2 * most);
  return q;
}

// What the model will see before the frames of a clip, as words: a step towards "when" in pictures.
Question about_times(Rng& rng, const Request& request) {
  const int steps = request.level == kShort    ? rng.between(2, 3)
                    : request.level == kMedium ? rng.between(3, 5)
                                               : rng.between(4, 8);
  const int from = rng.below(steps), to = rng.between(from + 1, steps);
  const ColouredShape what = pick_pair(rng, request.options.split, true);
  ColouredShape other = pick_pair(rng, request.options.split, false);
  while (other.shape == what.shape) other = pick_pair(rng, request.options.split, false);
  std::string list;
  const bool nothing = rng.chance(0.5);
  for (int i = 0; i < steps; ++i)
    list += fmt::format("{}Time {:.1f}s: {}", i > 0 ? ", " : "", static_cast<double>(i),
                        i >= from && i < to ? name_of(what)
                        : nothing           ? "nothing"
                                            : name_of(other));
  Question q;
  q.query = {{"from_s", fmt::format("{:.1f}", static_cast<double>(from))},
             {"to_s", fmt::format("{:.1f}", static_cast<double>(to))}};
  q.text = say(rng,
               {"{l}. When is the {a} visible?", "{l}. When can you see the {a}?",
                "{l}\nDuring which time is the {a} visible?"},
               {{"l", list}, {"a", rng.chance(0.5) ? name_of(what) : std::string(name_of(what.shape))}});
  q.answer = fmt::format("{:.1f}-{:.1f} s", static_cast<double>(from), static_cast<double>(to));
  for (int i = 0; i < steps; ++i) {
    for (int j = i + 1; j <= steps; ++j)
      q.options.push_back(fmt::format("{:.1f}-{:.1f} s", static_cast<double>(i), static_cast<double>(j)));
  }
  return q;
}

Question about_places(Rng& rng, const Request& request) {
  const ColouredShape a = pick_pair(rng, request.options.split, true);
  ColouredShape b = pick_pair(rng, request.options.split, false);
  while (b.shape == a.shape || b.colour == a.colour) b = pick_pair(rng, request.options.split, false);
  const std::string relation = rng.pick({"left", "right", "above", "below"});
  const bool sideways = relation == "left" || relation == "right";
  const std::string opposite = relation == "left"    ? "right"
                               : relation == "right" ? "left"
                               : relation == "above" ? "below"
                                                     : "above";
  const auto phrase = [&](const std::string& r) { return sideways ? "to the " + r + " of" : r; };
  const std::string fact = fmt::format("The {} is {} the {}.", name_of(a), phrase(relation), name_of(b));
  Question q;
  q.query = {{"a", name_of(a)}, {"b", name_of(b)}, {"relation", relation}};
  const int mode = rng.below(3);
  q.query["mode"] = std::to_string(mode);
  if (mode == 0) {
    q.text = say(rng, {"{f} What is {r} the {b}?", "{f} Which shape is {r} the {b}?"},
                 {{"f", fact}, {"r", phrase(relation)}, {"b", name_of(b)}});
    q.answer = name_of(a);
    q.options = {name_of(a), name_of(b)};
  } else if (mode == 1) {
    q.text = say(rng, {"{f} What is {r} the {b}?", "{f} Which shape is {r} the {b}?"},
                 {{"f", fact}, {"r", phrase(opposite)}, {"b", name_of(a)}});
    q.answer = name_of(b);
    q.options = {name_of(a), name_of(b)};
  } else {
    q.text = say(rng, {"{f} What colour is the {s}?", "{f} Which colour is the {s}?"},
                 {{"f", fact}, {"s", std::string(name_of(a.shape))}});
    q.answer = name_of(a.colour);
    q.options = {std::string(name_of(a.colour)), std::string(name_of(b.colour))};
  }
  return q;
}

struct Talk {
  std::vector<std::string_view> questions;
  std::string_view answer;
};
const std::vector<Talk>& talks() {
  static const std::vector<Talk> all{
      {{"Who are you?", "What are you?", "What is your name?", "Introduce yourself.", "Which model are you?",
        "What model is this?", "Tell me about yourself."},
       "I am a small demonstration model of the vl3 project."},
      {{"What can you do?", "How can you help me?", "What are you able to do?", "What can I ask you?"},
       "I answer simple questions about shapes, printed text, charts and short videos."},
      {{"Hello!", "Hi!", "Hello there.", "Good morning!", "Hey"},
       "Hello! Show me a picture or a video and ask about it."},
      {{"Thank you!", "Thanks!", "Thanks a lot.", "Thank you very much."}, "You are welcome!"},
      {{"Goodbye!", "Bye!", "See you later."}, "Goodbye!"},
      {{"How are you?", "How do you do?"}, "I am fine, thank you."},
      {{"Who made you?", "Who trained you?", "Who built you?", "Where do you come from?"},
       "I was trained by the vl3 project on generated data."},
      {{"Are you a human?", "Are you a person?", "Are you human?"}, "No, I am a small demonstration model."},
      {{"Which shapes do you know?", "What shapes do you know?"},
       "I know circle, square, triangle, star, rectangle, cross, pentagon and heart."},
      {{"Which colours do you know?", "What colours do you know?"},
       "I know red, orange, yellow, green, blue, purple, pink, brown, black, white and gray."},
      {{"Can you read text?", "Can you read?"}, "Yes, I can read short printed text."},
      {{"Can you watch videos?", "Do you understand videos?"}, "Yes, I can watch short videos."},
      {{"How large are you?", "How big are you?", "Are you a large model?"}, "I am a very small model."},
  };
  return all;
}

Question small_talk(Rng& rng) {
  const Talk& talk = rng.pick(talks());
  Question q;
  q.text = say(rng, talk.questions);
  q.query = {{"topic", std::string(talk.questions.front())}};
  q.answer = talk.answer;
  return q;
}

bool make(Rng& rng, const Request& request, Sample& sample) {
  // Nothing is shared between questions without media: one a sample.
  const Kind& kind = *request.kinds.front();
  const std::string_view name = kind.name;
  Question q = name == "value" || name == "values" || name == "key" || name == "highest" || name == "compare"
                   ? about_pairs(rng, request, name)
               : name == "characters" ? about_characters(rng, request)
               : name == "sums"       ? about_sums(rng, request)
               : name == "when"       ? about_times(rng, request)
               : name == "places"     ? about_places(rng, request)
               : name == "talk"       ? small_talk(rng)
                                      : about_words(rng, request, name);
  finish_question(rng, request, kind, q);
  sample.questions.push_back(std::move(q));
  return true;
}

}  // namespace

Family text_family() {
  using enum AnswerForm;
  return {"text",
          MediaType::kText,
          {{"short", "1 or 2 words or pairs, sums to 6 + 6"}, {"medium", "2 to 4"}, {"long", "4 to 7"}},
          {{"copy", kExact, kShort, kLong, "Repeat: APPLE"},
           {"characters", kExact, kShort, kLong, "Copy: K 3 F"},
           {"value", kExact, kShort, kLong, "A: 7, B: 12. What is B?"},
           {"values", kExact, kShort, kLong, "A: 7, B: 12, C: 5. What are C, A?"},
           {"key", kExact, kShort, kLong, "A: 7, B: 12. Which one is 12?"},
           {"highest", kExact, kShort, kLong, "A: 7, B: 12. Which is the highest?"},
           {"compare", kExact, kShort, kLong, "A: 7, B: 12. Which is higher, A or B?"},
           {"reverse", kExact, kShort, kLong, "Write the words in reverse order: apple tree"},
           {"first", kExact, kShort, kLong, "What is the first word? apple tree"},
           {"last", kExact, kShort, kLong, "What is the last word? apple tree"},
           {"count", kExact, kShort, kLong, "How many words are there? apple tree"},
           {"sums", kExact, kShort, kLong, "What is 7 + 5?"},
           {"when", kSpan, kShort, kLong,
            "Time 0.0s: nothing, Time 1.0s: red circle. When is the red circle visible?"},
           {"places", kExact, kShort, kLong,
            "The red circle is above the blue star. What is above the blue star?"},
           {"instruct", kExact, kShort, kLong, "Write apple in capital letters."},
           {"talk", kExact, kShort, kLong, "Who are you?"}},
          make};
}

}  // namespace vl3::synth
