// What the generator gives: media, questions with answers, and the facts both came from. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "media/frame.h"

namespace vl3::synth {

enum class MediaType { kText, kImage, kImages, kVideo, kStream };

/// Pixels from the left and top edge; x1 and y1 lie outside.
struct Box {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  float width() const { return x1 - x0; }
  float height() const { return y1 - y0; }
  float centre_x() const { return (x0 + x1) / 2; }
  float centre_y() const { return (y0 + y1) / 2; }
};

/// Something to be seen in an image or a frame.
struct Item {
  std::string type;    ///< "shape", "char", "line", "word", "bar", "point", "slice", "key", "value"
  std::string label;   ///< the shape's name, the character, the text, the bar's name
  std::string colour;  ///< of the vocabulary; "" where it does not matter
  int value = 0;       ///< bars, points, slices; 0 elsewhere
  int object = -1;     ///< index into Facts::objects (clips)
  Box box;
};

struct ImageFacts {
  int width = 0, height = 0;
  std::string background;  ///< a colour of the vocabulary when it is plain and nameable, else ""
  std::vector<Item> items;
};

/// A thing of a clip. Its spans are half-open: a shape seen in the frames at 1 and 2 s of a clip with one
/// frame a second is visible from 1.0 to 3.0 s.
struct ClipObject {
  std::string shape, colour;
  double visible_from_s = 0, visible_to_s = 0;
};

struct Event {
  std::string type;  ///< "move", "appear", "disappear", "colour", "flash"
  int object = 0;
  double start_s = 0, end_s = 0;
  std::string from, to;  ///< colours; the direction in `to` for "move"
};

struct Facts {
  std::vector<ImageFacts> images;  ///< one an image, or one a frame
  std::vector<ClipObject> objects;
  std::vector<Event> events;
  double duration_s = 0;                      ///< of a clip
  std::map<std::string, std::string> fields;  ///< text, documents: what the answers are drawn from
};

enum class AnswerForm {
  kExact,    ///< a word, a number, a short list
  kCaption,  ///< sentences; right when all facts in them are
  kSpan      ///< "1.0-3.0 s"
};

struct Question {
  std::string kind, level;
  std::string text;    ///< as a user would ask; without media tags
  std::string answer;  ///< what is trained
  AnswerForm form = AnswerForm::kExact;
  std::vector<std::string> accepted;         ///< other right answers ("circle" for "red circle")
  std::vector<std::string> options;          ///< what a guesser would choose from; empty: open
  std::map<std::string, std::string> query;  ///< what is asked about, for those who derive the answer anew
  bool noisy = false;                        ///< made wrong on purpose (answer_noise, caption_noise)
  double time_s = 0;                         ///< streams: when it is said
};

struct Sample {
  std::string id;  ///< "synth-<split>-<seed>-<kind>-<level>-<index>"
  MediaType type = MediaType::kText;
  std::vector<media::Frame> frames;  ///< images, or the frames of a clip with their times
  double fps = 1;                    ///< frames a second of a clip
  /// All about the same media, each to be asked alone. A stream's are what the narrator says, in order of
  /// time; its first has the instruction as `text`.
  std::vector<Question> questions;
  Facts facts;
};

}  // namespace vl3::synth
