// One question of a benchmark as its files have it: media, prompt, truth. Plain data; nothing is opened.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"

namespace vl3::eval {

enum class Modality { kImage, kVideo };

/// Known slips of the official code: mended (the default), or scored as it was shipped.
enum class Defects { kFixed, kOfficial };

/// An image or a video of a question.
struct Medium {
  bool video = false;
  std::filesystem::path path;  ///< file or frame folder; with `bytes`, the file that holds the picture
  /// A picture inside another file, read when it is asked for. @throws Error. Null: `path` is the medium.
  std::function<std::string()> bytes;
  std::string inside;                ///< which picture of `path`, for people and for keys: "row 3, image_1"
  std::optional<double> start, end;  ///< of a video, seconds

  /// Equal for equal media and windows.
  std::string key() const;
};

/// A stretch of the user message: text, or the place of a medium.
struct Piece {
  std::string text;
  int medium = -1;  ///< index into Item::media; -1 for text
};

/// Text of a video that goes into the prompt by the times of the frames.
struct SubtitleSource {
  enum Kind {
    kNone,
    kListed,       ///< videomme: an .srt file, listed before the question
    kInterleaved,  ///< longvideobench: a .json file, between the frames
  };
  Kind kind = kNone;
  std::filesystem::path file;
  double offset_s = 0;    ///< kInterleaved: subtracted from its times
  double duration_s = 0;  ///< kInterleaved: the end where the file names none
};

struct Item {
  Json id;                              ///< number or text, as the official code keeps it; unique
  std::vector<std::string> task_types;  ///< metrics are given for each; may be empty
  std::string section;                  ///< of nested metrics (videomme: "with_subtitle"); "" where flat
  std::vector<Medium> media;
  std::vector<Piece> prompt;
  SubtitleSource subtitles;
  std::string question;
  std::vector<std::string> options;
  Json ground_truth;  ///< index, letter, text, list of texts or [start, end]; null where it is not public
  Json meta;          ///< further fields that the scorer needs
};

struct Dataset {
  std::vector<Item> items;
  /// Items (indices) that share their medium, in order of first appearance.
  std::vector<std::vector<size_t>> groups;
};

/// The id as text: journals, samples and reports name items by it.
std::string id_text(const Json& id);

/// What names a question in a journal: its id and a digest of what is asked: prompt, subtitles, and names,
/// windows and sizes of its media. @param root  of the dataset, which may move.
std::string question_key(const Item& item, const std::filesystem::path& root);

/// Groups the items by medium. Items with several media, or with pictures inside other files, stand alone.
/// An id that comes again gets "#2", "#3" … behind it.
Dataset make_dataset(std::vector<Item> items);

}  // namespace vl3::eval
