#include "data/record_parser.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/shown.h"
#include "data/bad_sample.h"
#include "text/white_space.h"

namespace vl3::data {
namespace {

constexpr std::string_view kImageTag = "<image>";
constexpr std::string_view kVideoTag = "<video>";
constexpr double kMaxSeconds = 1e9;

/// The value of a key, or nullptr where it is missing or null.
const Json* find(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it == json.end() || it->is_null() ? nullptr : &*it;
}

const Json& need(const Json& json, const char* key, const std::string& where) {
  const Json* value = find(json, key);
  VL3_SAMPLE_CHECK(value != nullptr, kSchema, "{}: \"{}\" is missing; add it", where, key);
  return *value;
}

std::string need_string(const Json& json, const char* key, const std::string& where) {
  const Json& value = need(json, key, where);
  VL3_SAMPLE_CHECK(value.is_string(), kSchema, "{}: \"{}\" must be a string, found {}", where, key,
                   shown(value));
  return value.get<std::string>();
}

double need_seconds(const Json& json, const char* key, const std::string& where) {
  const Json& value = need(json, key, where);
  VL3_SAMPLE_CHECK(value.is_number() && std::abs(value.get<double>()) <= kMaxSeconds, kSchema,
                   "{}: \"{}\" must be seconds, a number within +-{}, found {}", where, key, kMaxSeconds,
                   shown(value));
  return value.get<double>();
}

/// A media reference: not empty, and nothing that only an interactive program could mean.
std::string reference(const Json& value, const char* key) {
  VL3_SAMPLE_CHECK(value.is_string() && !value.get_ref<const std::string&>().empty(), kSchema,
                   "\"{}\" must name a file, found {}", key, shown(value));
  VL3_SAMPLE_CHECK(value.get_ref<const std::string&>().find('\0') == std::string::npos, kSchema,
                   "\"{}\" holds a NUL byte: {}", key, shown(value));
  return value.get<std::string>();
}

/// Python's truth of a JSON value.
bool truthy(const Json* value) {
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_number()) return value->get<double>() != 0;
  if (value->is_string()) return !value->get_ref<const std::string&>().empty();
  return !value->empty();
}

int64_t count_tags(std::string_view text, std::string_view tag) {
  int64_t count = 0;
  for (size_t at = text.find(tag); at != text.npos; at = text.find(tag, at + tag.size())) ++count;
  return count;
}

struct Turn {
  text::Role role;
  std::string value;
};

std::vector<Turn> read_turns(const Json& json) {
  const Json& list = need(json, "conversations", "the annotation");
  VL3_SAMPLE_CHECK(list.is_array(), kSchema, "\"conversations\" must be a list, found {}", shown(list));
  std::vector<Turn> turns;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("conversations[{}]", i);
    VL3_SAMPLE_CHECK(list[i].is_object(), kSchema, "{} must be an object, found {}", where, shown(list[i]));
    const std::string from = need_string(list[i], "from", where);
    const text::Role role = from == "human"    ? text::Role::kUser
                            : from == "system" ? text::Role::kSystem
                                               : text::Role::kAssistant;
    // What comes before the first question has nothing to answer.
    if (turns.empty() && role == text::Role::kAssistant) continue;
    turns.push_back({role, need_string(list[i], "value", where)});
  }
  VL3_SAMPLE_CHECK(turns.size() >= 2, kTooFewTurns,
                   "{} turns from the first human or system turn on; a question and an answer are needed",
                   turns.size());
  const bool answered =
      std::ranges::any_of(turns, [](const Turn& t) { return t.role == text::Role::kAssistant; });
  VL3_SAMPLE_CHECK(answered, kNoAssistant,
                   "none of {} turns is an answer (\"from\": \"gpt\"); nothing could be learned",
                   turns.size());
  return turns;
}

/// The media of an annotation and the tag that stands for them.
struct TurnMedia {
  std::string_view tag;  ///< "" for text
  text::PartKind kind = text::PartKind::kText;
  std::vector<std::string> references;
};

TurnMedia read_media(const Json& json, const ImageExpander& expand) {
  TurnMedia media;
  // Of an annotation with both, the image counts.
  if (const Json* image = find(json, "image")) {
    media.tag = kImageTag;
    media.kind = text::PartKind::kImage;
    if (image->is_array()) {
      for (const Json& one : *image) media.references.push_back(reference(one, "image"));
    } else {
      media.references = expand(reference(*image, "image"));
    }
  } else if (const Json* video = find(json, "video")) {
    VL3_SAMPLE_CHECK(video->is_array() && video->size() == 1, kVideoField,
                     "\"video\" must be a list of exactly one file, found {}", shown(*video));
    media.tag = kVideoTag;
    media.kind = text::PartKind::kVideo;
    media.references.push_back(reference((*video)[0], "video"));
  }
  return media;
}

/// Counts the tags, and puts the one that stands nowhere in front of the first question.
void check_tags(std::vector<Turn>& turns, const TurnMedia& media) {
  int64_t tags = 0;
  for (const Turn& turn : turns) {
    const bool human = turn.role == text::Role::kUser;
    const bool images = media.tag == kImageTag;
    const int64_t image_tags = count_tags(turn.value, kImageTag);
    // DIFFERS: the reference counts an <image> that an answer happens to say as a picture.
    VL3_SAMPLE_CHECK(image_tags == 0 || (images && human), kTagCount,
                     "{} <image> in a {} turn of a sample {}; take them out", image_tags,
                     text::role_name(turn.role),
                     images ? "whose images belong to human turns" : "without \"image\"");
    if (human && !media.tag.empty()) tags += count_tags(turn.value, media.tag);
  }
  if (media.tag.empty()) return;
  if (tags == 0) {
    // DIFFERS: the reference takes the first turn even where that is a system turn.
    const auto human = std::ranges::find_if(turns, [](const Turn& t) { return t.role == text::Role::kUser; });
    VL3_SAMPLE_CHECK(human != turns.end(), kTagCount, "no human turn that {} could stand in", media.tag);
    human->value = std::string(media.tag) + human->value;
    tags = 1;
  }
  VL3_SAMPLE_CHECK(tags == static_cast<int64_t>(media.references.size()), kTagCount,
                   "{} {} for {} media; as many tags as media are needed", tags, media.tag,
                   media.references.size());
}

text::Conversation official_conversation(const Json& json, const ImageExpander& expand) {
  std::vector<Turn> turns = read_turns(json);
  const TurnMedia media = read_media(json, expand);
  check_tags(turns, media);
  text::Conversation conversation;
  size_t next = 0;
  for (const Turn& turn : turns) {
    text::Message message;
    message.role = turn.role;
    if (turn.role != text::Role::kUser) {
      message.content_was_string = true;
      message.parts.push_back(text::text_part(turn.value));
      conversation.push_back(std::move(message));
      continue;
    }
    std::string_view rest = turn.value;
    const auto add_text = [&](std::string_view chunk) {
      if (chunk = text::strip(chunk); !chunk.empty())
        message.parts.push_back(text::text_part(std::string(chunk)));
    };
    while (!media.tag.empty()) {
      const size_t at = rest.find(media.tag);
      if (at == rest.npos) break;
      add_text(rest.substr(0, at));
      text::ContentPart& part = message.parts.emplace_back();
      part.kind = media.kind;
      part.media = media.references[next++];
      rest.remove_prefix(at + media.tag.size());
    }
    add_text(rest);
    conversation.push_back(std::move(message));
  }
  return conversation;
}

void read_stream(const Json& json, ParsedRecord* record) {
  record->stream = true;
  const std::string where = "the streaming annotation";
  const Json& video = need(json, "video", where);
  VL3_SAMPLE_CHECK(video.is_array() && !video.empty(), kVideoField,
                   "\"video\" must be a list whose first entry is the video, found {}", shown(video));
  record->stream_video = reference(video[0], "video");
  record->start_s = need_seconds(json, "start_time", where);
  record->end_s = need_seconds(json, "end_time", where);
  VL3_SAMPLE_CHECK(record->start_s >= 0 && record->end_s >= record->start_s, kSchema,
                   "start_time {} and end_time {} span no time of the video", record->start_s, record->end_s);
  const Json& turns = need(json, "conversation", where);
  VL3_SAMPLE_CHECK(turns.is_array(), kSchema, "\"conversation\" must be a list, found {}", shown(turns));
  bool answered = false;
  for (size_t i = 0; i < turns.size(); ++i) {
    const std::string at = fmt::format("conversation[{}]", i);
    VL3_SAMPLE_CHECK(turns[i].is_object(), kSchema, "{} must be an object, found {}", at, shown(turns[i]));
    StreamTurn turn;
    const std::string role = need_string(turns[i], "role", at);
    if (role == "assistant") {
      turn.role = text::Role::kAssistant;
      answered = true;
    } else {
      VL3_SAMPLE_CHECK(role == "user" || role == "system", kSchema,
                       "{}: role \"{}\"; user, assistant and system are known", at, role);
      turn.role = role == "user" ? text::Role::kUser : text::Role::kSystem;
    }
    turn.content = need_string(turns[i], "content", at);
    VL3_SAMPLE_CHECK(count_tags(turn.content, kImageTag) == 0, kTagCount,
                     "{}: <image> in a streaming sample, whose frames have their own places; take it out",
                     at);
    turn.time_s = need_seconds(turns[i], "time", at);
    record->turns.push_back(std::move(turn));
  }
  VL3_SAMPLE_CHECK(answered, kNoAssistant, "none of {} messages is the assistant's; nothing could be learned",
                   record->turns.size());
}

text::Conversation messages_conversation(const Json& json) {
  const Json& list = need(json, "messages", "the record");
  text::Conversation conversation;
  try {
    conversation = text::parse_openai_messages(list, "messages");
  } catch (const Error& error) {
    throw BadSample(BadKind::kSchema, error.what());
  }
  VL3_SAMPLE_CHECK(conversation.size() >= 2, kTooFewTurns, "{} messages; a question and an answer are needed",
                   conversation.size());
  const bool answered = std::ranges::any_of(
      conversation, [](const text::Message& m) { return m.role == text::Role::kAssistant; });
  VL3_SAMPLE_CHECK(answered, kNoAssistant, "none of {} messages is the assistant's; nothing could be learned",
                   conversation.size());
  return conversation;
}

}  // namespace

std::string record_id(const Json& json) {
  const Json* id = json.is_object() ? find(json, "id") : nullptr;
  if (id == nullptr) return "";
  return id->is_string() ? id->get<std::string>() : id->is_number() ? id->dump() : "";
}

std::string id_of_broken(std::string_view text) {
  constexpr std::string_view kKey = "\"id\"";
  size_t at = text.find(kKey);
  if (at == text.npos) return "";
  at = text.find_first_not_of(" \t\r\n:", at + kKey.size());
  if (at == text.npos) return "";
  const bool quoted = text[at] == '"';
  const size_t begin = at + (quoted ? 1 : 0);
  const size_t end = text.find_first_of(quoted ? "\"\\\n" : ",} \t\r\n", begin);
  const std::string_view id = end == text.npos ? "" : text.substr(begin, end - begin);
  const bool known =
      quoted ? text[std::min(end, text.size() - 1)] == '"' : id.find_first_not_of("0123456789") == id.npos;
  return known && id.size() <= 200 ? std::string(id) : "";
}

ParsedRecord parse_record(const Json& json, RecordFormat format, const ImageExpander& expand) {
  VL3_SAMPLE_CHECK(json.is_object(), kSchema, "an annotation must be a JSON object, found {}", shown(json));
  ParsedRecord record;
  record.id = record_id(json);
  if (format == RecordFormat::kMessages ||
      (format == RecordFormat::kAuto && find(json, "messages") != nullptr)) {
    record.conversation = messages_conversation(json);
  } else if (truthy(find(json, "stream"))) {
    read_stream(json, &record);
  } else {
    record.conversation = official_conversation(json, expand);
  }
  return record;
}

}  // namespace vl3::data
