// Annotation objects to conversations. Pure functions on JSON; no file is opened, but a folder of images is
// listed through a callback. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "data/record.h"
#include "text/conversation.h"

namespace vl3::data {

/// A message of a streaming sample.
struct StreamTurn {
  text::Role role = text::Role::kUser;
  std::string content;
  double time_s = 0;  ///< of the video
};

struct ParsedRecord {
  std::string id;  ///< "" where the annotation has none
  /// All messages, media parts holding references. Of a streaming sample: empty, see below.
  text::Conversation conversation;
  bool stream = false;
  std::string stream_video;
  double start_s = 0, end_s = 0;
  std::vector<StreamTurn> turns;
};

/// What an image reference stands for: itself, or the pictures of the folder it names, sorted.
using ImageExpander = std::function<std::vector<std::string>(const std::string& reference)>;

/// Reads an annotation, official or messages.
/// @throws BadSample with kinds tag_count, no_assistant, too_few_turns, video_field and schema.
/// Source: spec/data.md 1; golden_train/README.md "Rules"; reference `train.py:LazySupervisedDataset`.
ParsedRecord parse_record(const Json& json, RecordFormat format, const ImageExpander& expand);

/// The annotation's "id" as text, "" without one. Numbers are ids, too.
std::string record_id(const Json& json);

/// The same of text that is no JSON, where it says `"id": …` all the same; "" else.
std::string id_of_broken(std::string_view text);

}  // namespace vl3::data
