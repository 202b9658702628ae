// ocr.*: printed text, from one character in one patch to a page of lines.
#include <algorithm>
#include <sstream>

#include "synth/artefacts.h"
#include "synth/family.h"
#include "synth/scene_layout.h"
#include "synth/text_layout.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

enum LevelIndex { kChar, kThree, kSix, kMono, kLarge, kPoster, kSmall, kTwoLines, kPage };
constexpr std::string_view kOrdinals[] = {"first", "second", "third", "fourth", "fifth", "sixth"};
constexpr int kPatch = 14;  // pixels: one aligned character a token of the vision encoder

struct Print {
  std::vector<std::string> lines;
  const ImageFacts& facts;
  std::string colour;
  Split split;
  Box box;
  int level;
};

std::vector<std::string> words_in(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

Question ask_read(Rng& rng, const Print& print) {
  Question q;
  q.text =
      print.lines.size() > 1
          ? say(rng, {"What does the text say?", "Read the text.", "What is written [here|in the image]?",
                      "Read all [the |]lines.", "Please read the [text|page].",
                      "What text is [shown|in the image]?", "Transcribe the text [in the image|]."})
          : say(rng, {"What does the text say?", "What is written [here|in the image]?", "Read the text.",
                      "What text is [shown|in the image|in the picture]?", "What does it say?",
                      "What is the text [in the image|]?", "What does the [sign|label] say?",
                      "Please read what is written.", "Can you read the text?", "Which [word|text] is shown?",
                      "Transcribe the text."});
  q.answer = join_words(print.lines, " ");
  if (print.lines.size() > 2) {
    q.answer.clear();
    for (const std::string& line : print.lines) q.answer += (q.answer.empty() ? "" : " ") + line;
  }
  return q;
}

std::optional<Question> ask_line(Rng& rng, const Print& print) {
  const int n = static_cast<int>(print.lines.size());
  if (n < 2) return std::nullopt;
  const int index = rng.below(n);
  std::string name(kOrdinals[static_cast<size_t>(index)]);
  if (index == 0 && rng.chance(0.3)) name = rng.pick({"top", "upper"});
  if (index == n - 1 && rng.chance(0.4)) name = rng.pick({"last", "bottom"});
  if (name == "upper" && n > 2) name = "top";
  Question q;
  q.query = {{"line", std::to_string(index + 1)}};
  q.text = say(rng,
               {"What does the {n} line say?", "Read the {n} line.", "What is written in the {n} line?",
                "What is the {n} line?", "What text is in the {n} line?", "What does line {i} say?"},
               {{"n", name}, {"i", std::to_string(index + 1)}});
  q.answer = print.lines[static_cast<size_t>(index)];
  q.options = print.lines;
  return q;
}

std::optional<Question> ask_word(Rng& rng, const Print& print) {
  const std::vector<std::string> words = words_in(print.lines[0]);
  if (print.lines.size() != 1 || words.size() < 2) return std::nullopt;
  const size_t index = static_cast<size_t>(rng.below(static_cast<int>(words.size())));
  Question q;
  q.query = {{"word", std::to_string(index + 1)}};
  q.text = say(
      rng,
      {"What is the {n} word?", "Read the {n} word.", "What does the {n} word say?", "Which word comes {n}?"},
      {{"n", index + 1 == words.size() && rng.chance(0.4) ? "last" : kOrdinals[index]}});
  q.answer = words[index];
  q.options = words;
  return q;
}

Question ask_exists(Rng& rng, const Print& print) {
  std::vector<std::string> there;
  for (const std::string& line : print.lines) {
    for (std::string& word : words_in(line)) there.push_back(std::move(word));
  }
  const bool yes = rng.chance(0.5);
  std::string asked = rng.pick(there);
  const std::string model = asked;
  while (!yes && std::find(there.begin(), there.end(), asked) != there.end()) {
    // Something of the same make, so that "looks like a number" does not give the answer away: another
    // string, or this one with another character in it.
    const Split split = print.split == Split::kHeldout ? Split::kAll : print.split;
    if (print.level <= kSix) {
      asked = pick_string(rng, split, static_cast<int>(model.size()), Alphabet::kCapitalsAndDigits);
    } else if (rng.chance(0.4)) {
      asked = model;
      char& c = asked[static_cast<size_t>(rng.below(static_cast<int>(asked.size())))];
      c = pick_string(rng, Split::kAll, 1,
                      c >= '0' && c <= '9'   ? Alphabet::kDigits
                      : c >= 'A' && c <= 'Z' ? Alphabet::kCapitals
                                             : Alphabet::kSmall)[0];
    } else {
      asked = pick_sign(rng, split, 8);
    }
    if (asked.find(' ') != std::string::npos || !obeys(asked, split)) asked = model;
  }
  Question q;
  q.query = {{"text", asked}};
  q.text = say(rng,
               {"Is the [word|text] \"{t}\" in the image?", "Does the text say \"{t}\"?",
                "Can you see the text \"{t}\"?", "Does the image contain the text \"{t}\"?",
                "Is \"{t}\" written [here|in the picture]?"},
               {{"t", asked}});
  q.answer = yes ? "yes" : "no";
  q.options = {"yes", "no"};
  return q;
}

std::optional<Question> ask_locate(Rng& rng, const Print& print) {
  const std::string where = position_of(print.box, print.facts.width, print.facts.height);
  if (where.empty()) return std::nullopt;
  Question q;
  q.text = say(rng, {"Where is the text?", "Where in the [image|picture] is the text?",
                     "In which part of the image is the text?", "Where is the text [located|printed]?"});
  q.answer = where;
  q.options = {"top left", "top",         "top right", "left",        "middle",
               "right",    "bottom left", "bottom",    "bottom right"};
  if (where == "middle")
    q.accepted = {"center", "in the middle", "in the center"};
  else
    q.accepted = {"at the " + where, "on the " + where, "in the " + where};
  return q;
}

Question ask_colour(Rng& rng, const Print& print) {
  Question q;
  q.text =
      say(rng, {"What colour is the text?", "Which colour is the text?", "What is the colour of the text?",
                "What colour are the letters?", "In what colour is the text [written|printed]?"});
  q.answer = print.colour;
  q.options = colour_options();
  return q;
}

Question ask_count(Rng& rng, const Print& print) {
  Question q;
  if (print.lines.size() > 1) {
    q.query = {{"of", "lines"}};
    q.text = say(rng, {"How many lines are there?", "How many lines of text are there?",
                       "How many lines does the text have?", "Count the lines."});
    q.answer = std::to_string(print.lines.size());
  } else {
    const bool chars = print.level <= kSix;
    q.query = {{"of", chars ? "characters" : "words"}};
    q.text = chars ? say(rng, {"How many characters are there?",
                               "How many characters [do you see|are shown]?", "How long is the text?"})
                   : say(rng, {"How many words are there?", "How many words do you see?",
                               "How many words does the text have?"});
    q.answer = std::to_string(chars ? print.lines[0].size() : words_in(print.lines[0]).size());
  }
  q.options = number_options(1, 6);
  return q;
}

std::vector<std::string> choose_lines(Rng& rng, const Request& request) {
  const Split split = request.options.split;
  const auto plain = [&](int low, int high) {
    if (rng.chance(0.25) && high > 3) {
      for (int attempt = 0; attempt < 20; ++attempt) {
        std::string word = pick_word(rng, split);
        for (char& c : word) c = static_cast<char>(c - 'a' + 'A');
        if (static_cast<int>(word.size()) >= low && static_cast<int>(word.size()) <= high) return word;
      }
    }
    return pick_string(rng, split, rng.between(low, high),
                       rng.pick({Alphabet::kCapitalsAndDigits, Alphabet::kCapitals, Alphabet::kDigits}));
  };
  switch (request.level) {
    case kChar:
      return {plain(1, 1)};
    case kThree:
      return {plain(1, 3)};
    case kSix:
      return {plain(3, 6)};
    case kMono:
      return {rng.chance(0.5) ? plain(2, 8) : pick_sign(rng, split, 10)};
    default:
      break;
  }
  const int count = request.level == kTwoLines ? 2 : request.level == kPage ? rng.between(3, 5) : 1;
  std::vector<std::string> lines;
  while (static_cast<int>(lines.size()) < count) {
    std::string line = pick_sign(rng, lines.empty() || split == Split::kTrain ? split : Split::kAll,
                                 request.level == kPoster ? 10
                                 : count > 1              ? 14
                                                          : 16);
    if (request.leads("word") && line.find(' ') == std::string::npos)
      line = pick_cased_word(rng, split) + " " +
             pick_cased_word(rng, split == Split::kTrain ? split : Split::kAll);
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(std::move(line));
  }
  rng.shuffle(lines);
  return lines;
}

// Characters centred in patches of 14 x 14 pixels, on a canvas of whole patches.
std::optional<Print> draw_aligned(Rng& rng, const Request& request, Sample& sample,
                                  std::vector<std::string> lines) {
  const int chars = static_cast<int>(lines[0].size());
  const auto cells = [&](int least) {
    return rng.between(std::max(2, (least + 1) / 2), std::max(4, (least + 3) / 2)) * 2;
  };
  const int columns = cells(chars), rows = cells(2);
  Canvas canvas(columns * kPatch, rows * kPatch);
  const Background background = paint_background(canvas, rng, std::min(request.options.background_level, 1));
  auto ink = pick_ink(rng, request.options, 16, 16, false, background);
  if (!ink) return std::nullopt;
  ink->look.font = request.level == kSix && rng.chance(0.3) ? pick_font(rng, FontStyle::kMono) : 0;
  ink->look.pitch = kPatch;
  ink->look.size = 16;
  const int x = rng.between(0, columns - chars) * kPatch, row = rng.below(rows);
  const LineMetrics metrics = line_metrics(ink->look);
  // Capitals and digits of 16 px are about 12 high: centred, they stay inside their patch.
  const int cap_height = static_cast<int>(ink->look.size * 0.73);
  const PlacedText placed =
      draw_text(canvas, x, row * kPatch + (kPatch + cap_height) / 2 - metrics.ascent, lines[0], ink->look);
  ImageFacts facts{canvas.width(), canvas.height(), background.name, {}};
  add_text(facts, "line", lines[0], ink->colour_name, placed);
  sample.facts.images.push_back(std::move(facts));
  sample.frames.push_back(canvas.to_frame());
  degrade_images(rng, request.options, Frailty::kClean, sample.frames);
  return Print{std::move(lines), sample.facts.images[0], ink->colour_name, request.options.split,
               placed.box,       request.level};
}

std::optional<Print> draw_lines(Rng& rng, const Request& request, Sample& sample,
                                std::vector<std::string> lines) {
  const SynthOptions& options = request.options;
  const bool several = lines.size() > 1;
  // The ink has to be known before the canvas, whose size follows the text: a trial background of one pixel.
  std::optional<Ink> ink;
  const int low = request.level == kMono     ? 16
                  : request.level == kLarge  ? 20
                  : request.level == kPoster ? 28
                                             : 14;
  const int high = request.level == kMono     ? 18
                   : request.level == kLarge  ? 28
                   : request.level == kPoster ? 72
                   : several                  ? 24
                                              : 19;
  const Background white{"white", {{255, 255, 255}}};
  ink = pick_ink(rng, options, low, high, false, white);
  if (!ink) return std::nullopt;
  if (request.level == kMono) ink->look.font = rng.chance(0.6) ? 0 : pick_font(rng, FontStyle::kMono);
  int widest = 0;
  for (const std::string& line : lines) widest = std::max(widest, text_width(line, ink->look));
  const LineMetrics metrics = line_metrics(ink->look);
  const double spread = rng.real(1.0, 1.6);
  const int pitch = static_cast<int>(metrics.height * spread),
            tall = pitch * static_cast<int>(lines.size() - 1) + metrics.height;
  const int need_x = widest + 8, need_y = tall + 6;
  if (need_x > options.max_side || need_y > options.max_side) return std::nullopt;
  int width = std::clamp(need_x + rng.below(rng.chance(0.6) ? 60 : 200), options.min_side, options.max_side);
  int height = std::clamp(need_y + rng.below(rng.chance(0.6) ? 50 : 160), options.min_side, options.max_side);
  if (rng.chance(0.5)) {
    width = std::min(options.max_side, (width + 27) / 28 * 28);
    height = std::min(options.max_side, (height + 27) / 28 * 28);
  }
  if (width < need_x || height < need_y) return std::nullopt;
  Canvas canvas(width, height);
  Background background =
      paint_background(canvas, rng, std::min(options.background_level, request.level == kMono ? 2 : 4));
  const int x = rng.between(4, width - widest - 4), y = rng.between(3, height - tall - 3);
  if (rng.chance(0.2)) {  // a sign on the wall
    const auto colour = static_cast<Colour>(rng.below(kColours));
    const Rgb plate = shade_of(colour, rng);
    canvas.fill_rectangle(x - 4, y - 2, widest + 8, tall + 4, plate);
    if (rng.chance(0.4)) canvas.stroke_rectangle(x - 3.5, y - 1.5, widest + 7, tall + 3, {0, 0, 0}, 1);
    background = {"", {plate}};
  }
  const bool coloured =
      request.leads("colour") || (request.level >= kSmall && rng.chance(0.5)) || rng.chance(0.2);
  const auto fitting = pick_ink(rng, options, low, high, coloured, background);
  if (!fitting) return std::nullopt;
  ink->look.colour = fitting->look.colour;
  ink->colour_name = fitting->colour_name;
  ImageFacts facts{width, height, background.name, {}};
  Box box{1e9F, 1e9F, 0, 0};
  const int alignment = rng.below(3);
  for (size_t i = 0; i < lines.size(); ++i) {
    const int slack = widest - text_width(lines[i], ink->look);
    const PlacedText placed = draw_text(canvas,
                                        x + (alignment == 0              ? slack / 2
                                             : alignment == 1 && several ? slack
                                                                         : 0),
                                        y + pitch * static_cast<int>(i), lines[i], ink->look);
    add_text(facts, "line", lines[i], ink->colour_name, placed);
    box = {std::min(box.x0, placed.box.x0), std::min(box.y0, placed.box.y0), std::max(box.x1, placed.box.x1),
           std::max(box.y1, placed.box.y1)};
  }
  if (!several && rng.chance(0.08))
    canvas.line(box.x0, box.y1 + 2.5, box.x1, box.y1 + 2.5, ink->look.colour, 1);
  sample.facts.images.push_back(std::move(facts));
  sample.frames.push_back(canvas.to_frame());
  degrade_images(rng, options, Frailty::kText, sample.frames);
  return Print{std::move(lines), sample.facts.images[0], ink->colour_name, options.split, box, request.level};
}

bool make(Rng& rng, const Request& request, Sample& sample) {
  std::vector<std::string> lines = choose_lines(rng, request);
  const auto print = request.level <= kSix ? draw_aligned(rng, request, sample, std::move(lines))
                                           : draw_lines(rng, request, sample, std::move(lines));
  if (!print) return false;
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) -> std::optional<Question> {
    if (kind == "read") return ask_read(r, *print);
    if (kind == "line") return ask_line(r, *print);
    if (kind == "word") return ask_word(r, *print);
    if (kind == "exists") return ask_exists(r, *print);
    if (kind == "locate") return ask_locate(r, *print);
    if (kind == "colour") return ask_colour(r, *print);
    return ask_count(r, *print);
  });
}

}  // namespace

Family ocr_family() {
  using enum AnswerForm;
  return {"ocr",
          MediaType::kImage,
          {{"char", "one capital or digit centred in a 14 x 14 patch, 16 px mono"},
           {"three", "1 to 3 of them, one a patch"},
           {"six", "3 to 6 of them"},
           {"mono", "a line of 16 to 18 px mono, anywhere"},
           {"large", "a line of 20 to 28 px in any face"},
           {"poster", "a line of 28 to 72 px"},
           {"small", "a line of 14 to 19 px, coloured"},
           {"two_lines", "two lines of 14 to 24 px"},
           {"page", "3 to 5 lines"}},
          {{"read", kExact, kChar, kPage, "What does the text say?"},
           {"line", kExact, kTwoLines, kPage, "What does the second line say?"},
           {"word", kExact, kLarge, kSmall, "What is the second word?"},
           {"exists", kExact, kThree, kPage, "Is the word \"EXIT\" in the image?"},
           {"locate", kExact, kChar, kPage, "Where is the text?"},
           {"colour", kExact, kMono, kPage, "What colour is the text?"},
           {"count", kExact, kThree, kPage, "How many words are there?"}},
          make};
}

}  // namespace vl3::synth
