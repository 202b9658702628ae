// Lines of an input to items: the official form and messages (spec/data.md 1), flat records such as COYO's.
#include "curate/annotation.h"

#include <algorithm>
#include <string_view>

#include "core/ascii.h"
#include "core/printable.h"
#include "core/shown.h"
#include "data/record_parser.h"
#include "text/conversation.h"
#include "text/utf8.h"
#include "text/white_space.h"
#include "vl3/error.h"

namespace vl3::curate {
namespace {

void refuse(Item* item, const std::string& reason, const std::string& detail) {
  item->reason = reason;
  item->detail = printable(detail.substr(0, 300));
}

// Lines end in a line feed: a caption is not full of control characters because of the system it was written
// on.
std::string with_line_feeds(std::string text) {
  for (size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

void refuse_several(Item* item, size_t count) {
  refuse(item, "several_media", std::to_string(count) + " media in one item");
}

// "a.jpg", ["a.jpg"]; several pictures are more than a caption can be judged for.
bool take_media(const Json& value, Item* item) {
  if (value.is_string()) {
    item->media = value.get<std::string>();
    return true;
  }
  if (value.is_array() && value.size() == 1 && value[0].is_string()) {
    item->media = value[0].get<std::string>();
    return true;
  }
  if (value.is_array() && value.size() > 1) {
    refuse_several(item, value.size());
  } else {
    refuse(item, "wrong_schema", "the medium is " + shown(value) + "; expected a name");
  }
  return false;
}

struct Turn {
  bool question = false;
  std::string text;
};

// Whether the answer to it describes the picture. "Is there a cat?" does not ask for that: its "Yes" would be
// the caption of every other picture, too. What is no question does ("Write a short summary of the photo."),
// and so do the questions that captions are asked for with, ours (caption_templates.cpp) and LLaVA's.
bool asks_for_caption(std::string question) {
  for (const char* tag : {"<image>", "<video>"}) {
    for (size_t at = 0; (at = question.find(tag)) != std::string::npos;)
      question.erase(at, std::string_view(tag).size());
  }
  question = ascii_lower(question);
  const std::string_view asked = text::strip(question);
  if (asked.find('?') == std::string_view::npos && asked.find("\uff1f") == std::string_view::npos)
    return true;
  for (const char* word : {"describe", "description", "caption"}) {
    if (asked.find(word) != std::string_view::npos) return true;
  }
  for (const char* begin : {"what is this?", "what is in the ", "what is in this ",
                            "what does the image show", "what does the video show", "what can be seen in "}) {
    if (asked.starts_with(begin)) return true;
  }
  return false;
}

// A conversation of one question and its answer may be a caption; of others the item has none, and its
// annotation is kept as it is.
void take_caption(const std::vector<Turn>& turns, Item* item) {
  const auto questions = std::count_if(turns.begin(), turns.end(), [](const Turn& t) { return t.question; });
  if (std::ssize(turns) - questions != 1 || questions > 1) return;
  const Turn& answer = turns.back();
  if (answer.question || (questions == 1 && !asks_for_caption(turns.front().text))) return;
  item->caption = with_line_feeds(answer.text);
}

void take_conversation(const Json& list, Item* item) {
  if (!list.is_array())
    return refuse(item, "wrong_schema", "conversations is " + shown(list) + "; expected a list");
  std::vector<Turn> turns;
  for (const Json& turn : list) {
    if (!turn.is_object() || !turn.contains("from") || !turn.contains("value") || !turn["from"].is_string() ||
        !turn["value"].is_string())
      return refuse(item, "wrong_schema", "a turn is " + shown(turn) + "; expected from and value");
    if (turn["from"] == "system") continue;
    turns.push_back({turn["from"] == "human", turn["value"].get<std::string>()});
  }
  take_caption(turns, item);
}

// {"messages": …}, as clips of videos are exported. Media may also be named beside them.
void take_messages(const Json& list, MediumIs medium, Item* item) {
  std::vector<Turn> turns;
  size_t media = 0;
  try {
    for (const text::Message& message : text::parse_openai_messages(list, "messages")) {
      std::string text;
      for (const text::ContentPart& part : message.parts) {
        if (part.kind == text::PartKind::kText) {
          text += part.text;
          continue;
        }
        media += part.media.empty() ? std::max<size_t>(part.frames.size(), 2) : 1;
        if (medium == MediumIs::kNamed) item->media = part.media;
        item->start_s = part.start;
        item->end_s = part.end;
      }
      if (message.role != text::Role::kSystem)
        turns.push_back({message.role != text::Role::kAssistant, std::move(text)});
    }
  } catch (const Error& error) {
    return refuse(item, "wrong_schema", error.what());
  }
  if (media > 1) return refuse_several(item, media);
  take_caption(turns, item);
}

}  // namespace

void add_detail(const std::string& text, Item* item) {
  if (!item->detail.empty()) item->detail += "; ";
  item->detail += printable(text.substr(0, 300));
}

void read_caption_text(const std::string& text, const std::string& name, Item* item) {
  if (text::find_invalid_utf8(text) != std::string_view::npos)
    return add_detail(name + ": is not UTF-8, and no caption", item);
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  const std::string caption =
      with_line_feeds(text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text);
  if (!text::strip(caption).empty()) item->caption = std::string(text::strip(caption));
}

void read_annotation(const std::string& line, const InputConfig& input, Item* item, MediumIs medium) {
  item->text_bytes += line.size();
  if (line.size() > kMaxAnnotation)
    return refuse(item, "line_too_long",
                  std::to_string(line.size()) + " bytes; at most " + std::to_string(kMaxAnnotation));
  try {
    item->source = parse_json(line, "the line");
  } catch (const Error& error) {
    return refuse(item, "wrong_json", error.what());
  }
  if (!item->source.is_object()) {
    const std::string found = shown(item->source);
    item->source = nullptr;
    return refuse(item, "wrong_schema", found + "; expected an object");
  }
  const Json& json = item->source;
  item->id = data::record_id(json);
  const auto given = [&json](const std::string& key) { return json.contains(key) && !json[key].is_null(); };
  if (given("messages")) take_messages(json["messages"], medium, item);
  if (!item->reason.empty()) return;
  for (const std::string& key : input.media_key) {
    if (!given(key) || !item->media.empty()) continue;
    // Beside a medium a list still tells that the annotation is about several.
    if (medium == MediumIs::kBeside) {
      if (json[key].is_array() && json[key].size() > 1) return refuse_several(item, json[key].size());
      break;
    }
    if (!take_media(json[key], item)) return;
    break;
  }
  if (item->media.empty() && medium == MediumIs::kNamed)
    return refuse(item, "no_media", "none of the keys of input.media_key is there");
  if (given("messages")) return;
  if (given("conversations")) return take_conversation(json["conversations"], item);
  for (const std::string& key : input.caption_key) {
    if (!given(key)) continue;
    if (!json[key].is_string()) {
      if (medium == MediumIs::kBeside) continue;  // metadata, which may use the key for something else
      return refuse(item, "wrong_schema", key + " is " + shown(json[key]) + "; expected text");
    }
    item->caption = with_line_feeds(json[key].get<std::string>());
    return;
  }
}

}  // namespace vl3::curate
