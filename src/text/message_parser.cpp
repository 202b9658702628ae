// parse_openai_messages(): OpenAI's chat messages, the official code's and the golden cases' spellings of
// them.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string_view>

#include "core/check.h"
#include "core/shown.h"
#include "text/conversation.h"

namespace vl3::text {
namespace {

constexpr double kMaxSeconds = 1e9;

/// A JSON object with the place it stands at, complaining in the caller's terms.
class Fields {
 public:
  Fields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    VL3_CHECK(json.is_object(), kInvalidArgument, "{} must be an object, found {}", where_, shown(json));
  }

  void allow_only(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : json_.items()) {
      VL3_CHECK(std::find(keys.begin(), keys.end(), key) != keys.end(), kInvalidArgument,
                "{}: unknown key \"{}\"; allowed: {}", where_, key, fmt::join(keys, ", "));
    }
  }

  const Json* find(const std::string& key) const {
    const auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }

  const Json& at(const std::string& key) const {
    const Json* value = find(key);
    VL3_CHECK(value != nullptr, kInvalidArgument, "{}: \"{}\" is missing", where_, key);
    return *value;
  }

  std::string string(const std::string& key) const {
    const Json& value = at(key);
    VL3_CHECK(value.is_string(), kInvalidArgument, "{}: \"{}\" must be a string, found {}", where_, key,
              shown(value));
    return value.get<std::string>();
  }

  void read(const std::string& key, std::optional<double>* out, double low) const {
    if (const Json* value = find(key)) *out = seconds(*value, key, low);
  }

  void read(const std::string& key, std::optional<int64_t>* out) const {
    const Json* value = find(key);
    if (value == nullptr) return;
    const bool fits = value->is_number_unsigned()
                          ? value->get<uint64_t>() <= kMaxVideoFrames
                          : value->is_number_integer() && value->get<int64_t>() <= kMaxVideoFrames;
    VL3_CHECK(fits && value->get<int64_t>() >= 1, kInvalidArgument,
              "{}: \"{}\" must be an integer in 1..{}, found {}", where_, key, kMaxVideoFrames,
              shown(*value));
    *out = value->get<int64_t>();
  }

  double seconds(const Json& value, const std::string& key, double low) const {
    VL3_CHECK(value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() >= low &&
                  value.get<double>() <= kMaxSeconds,
              kInvalidArgument, "{}: \"{}\" must be a number in {}..{}, found {}", where_, key, low,
              kMaxSeconds, shown(value));
    return value.get<double>();
  }

  const std::string& where() const { return where_; }

 private:
  const Json& json_;
  std::string where_;
};

std::string reference(const Json& value, const std::string& where) {
  VL3_CHECK(value.is_string() && !value.get_ref<const std::string&>().empty(), kInvalidArgument,
            "{} must be a path or URL, found {}", where, shown(value));
  return value.get<std::string>();
}

std::vector<std::string> references(const Json& value, const std::string& where) {
  VL3_CHECK(value.is_array() && !value.empty() && value.size() <= static_cast<size_t>(kMaxVideoFrames),
            kInvalidArgument, "{} must be a list of 1..{} pictures, found {}", where, kMaxVideoFrames,
            shown(value));
  std::vector<std::string> list;
  for (size_t i = 0; i < value.size(); ++i)
    list.push_back(reference(value[i], fmt::format("{}[{}]", where, i)));
  return list;
}

ContentPart parse_image(const Fields& part, const std::string& key) {
  part.allow_only({"type", key, "timestamp", "uuid"});
  ContentPart out = image_part("");
  part.read("timestamp", &out.timestamp, -kMaxSeconds);
  const Json& value = part.at(key);
  const std::string where = part.where() + ": " + key;
  if (value.is_object()) {
    const Fields fields(value, where);
    fields.allow_only({"url", "image_path", "detail"});
    const char* name = fields.find("image_path") != nullptr ? "image_path" : "url";
    out.media = reference(fields.at(name), where + ": " + name);
  } else {
    out.media = reference(value, where);
  }
  return out;
}

void parse_video_object(const Json& value, const std::string& where, ContentPart* out) {
  const Fields fields(value, where);
  fields.allow_only({"url", "video_path", "fps", "max_frames", "start_time", "end_time"});
  const char* name = fields.find("video_path") != nullptr ? "video_path" : "url";
  out->media = reference(fields.at(name), where + ": " + name);
  fields.read("fps", &out->fps, 0);
  fields.read("max_frames", &out->max_frames);
  fields.read("start_time", &out->start, 0);
  fields.read("end_time", &out->end, 0);
}

void check_video(const ContentPart& part, const std::string& where) {
  const size_t frames = part.frames.size();
  VL3_CHECK(frames == 0 || part.timestamps.empty() || part.timestamps.size() == frames, kInvalidArgument,
            "{}: {} timestamps for {} frames", where, part.timestamps.size(), frames);
  VL3_CHECK(!part.num_frames || *part.num_frames == *part.prompt_frames(), kInvalidArgument,
            "{}: \"num_frames\" is {}, but there are {} frames or timestamps", where, *part.num_frames,
            *part.prompt_frames());
  VL3_CHECK(!part.fps || *part.fps > 0, kInvalidArgument, "{}: \"fps\" must be above 0", where);
  VL3_CHECK(!part.end || *part.end > part.start.value_or(0), kInvalidArgument,
            "{}: the end {} s does not come after the start {} s", where, *part.end, part.start.value_or(0));
}

ContentPart parse_video(const Fields& part, const std::string& key) {
  part.allow_only({"type", key, "frames", "timestamps", "num_frames", "fps", "max_frames", "start", "end",
                   "source", "uuid"});
  ContentPart out = video_part("");
  part.read("fps", &out.fps, 0);
  part.read("max_frames", &out.max_frames);
  part.read("num_frames", &out.num_frames);
  part.read("start", &out.start, 0);
  part.read("end", &out.end, 0);
  if (part.find("source") != nullptr) out.source = part.string("source");
  if (const Json* frames = part.find("frames")) {
    VL3_CHECK(part.find(key) == nullptr, kInvalidArgument, "{}: both \"{}\" and \"frames\" are given",
              part.where(), key);
    out.frames = references(*frames, part.where() + ": frames");
  } else {
    const Json& value = part.at(key);
    const std::string where = part.where() + ": " + key;
    if (value.is_array()) {
      out.frames = references(value, where);
    } else if (value.is_object()) {
      parse_video_object(value, where, &out);
    } else {
      out.media = reference(value, where);
    }
  }
  if (const Json* stamps = part.find("timestamps")) {
    VL3_CHECK(
        stamps->is_array() && !stamps->empty() && stamps->size() <= static_cast<size_t>(kMaxVideoFrames),
        kInvalidArgument, "{}: \"timestamps\" must be a list of 1..{} seconds, found {}", part.where(),
        kMaxVideoFrames, shown(*stamps));
    for (const Json& stamp : *stamps)
      out.timestamps.push_back(part.seconds(stamp, "timestamps", -kMaxSeconds));
  }
  check_video(out, part.where());
  return out;
}

ContentPart parse_part(const Json& json, const std::string& where) {
  if (json.is_string()) return text_part(json.get<std::string>());
  const Fields part(json, where);
  const std::string type = part.string("type");
  if (type == "text") {
    part.allow_only({"type", "text"});
    return text_part(part.string("text"));
  }
  if (type == "image" || type == "image_url") return parse_image(part, type);
  if (type == "video" || type == "video_url" || type == "input_video") return parse_video(part, type);
  const bool known_elsewhere =
      type == "input_audio" || type == "audio_url" || type == "file" || type == "refusal";
  constexpr std::string_view kTypes = "text, image_url, image, video_url, input_video, video";
  if (known_elsewhere)
    VL3_FAIL(kUnsupported, "{}: content type \"{}\" is not supported; use {}", where, type, kTypes);
  VL3_FAIL(kInvalidArgument, "{}: unknown content type \"{}\"; use {}", where, type, kTypes);
}

Role parse_role(const std::string& name, const std::string& where) {
  for (const Role role : {Role::kSystem, Role::kUser, Role::kAssistant, Role::kStream}) {
    if (name == role_name(role)) return role;
  }
  const bool known_elsewhere = name == "tool" || name == "function" || name == "developer";
  constexpr std::string_view kRoles = "system, user, assistant, stream";
  if (known_elsewhere)
    VL3_FAIL(kUnsupported, "{}: role \"{}\" is not supported; use {}", where, name, kRoles);
  VL3_FAIL(kInvalidArgument, "{}: unknown role \"{}\"; use {}", where, name, kRoles);
}

Message parse_message(const Json& json, const std::string& where) {
  const Fields fields(json, where);
  // Clients send answers back as they got them, with empty fields that say nothing.
  constexpr const char* kEmptyInAnswers[] = {"refusal", "tool_calls",  "function_call",
                                             "audio",   "annotations", "name"};
  for (const char* key : kEmptyInAnswers) {
    const Json* value = fields.find(key);
    VL3_CHECK(value == nullptr || value->empty(), kUnsupported, "{}: \"{}\" is not supported, found {}",
              where, key, shown(*value));
  }
  fields.allow_only(
      {"role", "content", "refusal", "tool_calls", "function_call", "audio", "annotations", "name"});
  Message message;
  message.role = parse_role(fields.string("role"), where);
  const Json& content = fields.at("content");
  if (content.is_string()) {
    message.content_was_string = true;
    message.parts.push_back(text_part(content.get<std::string>()));
    return message;
  }
  VL3_CHECK(content.is_array(), kInvalidArgument,
            "{}: \"content\" must be a string or a list of parts, found {}", where, shown(content));
  for (size_t i = 0; i < content.size(); ++i) {
    message.parts.push_back(parse_part(content[i], fmt::format("{}.content[{}]", where, i)));
  }
  return message;
}

}  // namespace

Conversation parse_openai_messages(const Json& json, const std::string& where) {
  if (json.is_object()) {
    const Fields fields(json, where);
    fields.allow_only({"messages"});
    return parse_openai_messages(fields.at("messages"), where + ": messages");
  }
  VL3_CHECK(json.is_array() && !json.empty(), kInvalidArgument,
            "{}: a list of at least one message is expected, found {}", where, shown(json));
  Conversation conversation;
  int64_t frames = 0;
  for (size_t i = 0; i < json.size(); ++i) {
    conversation.push_back(parse_message(json[i], fmt::format("{}[{}]", where, i)));
    for (const ContentPart& part : conversation.back().parts) frames += part.prompt_frames().value_or(0);
    VL3_CHECK(frames <= kMaxConversationFrames, kResourceExhausted, "{}: more than {} images and frames",
              where, kMaxConversationFrames);
  }
  return conversation;
}

void set_media_root(Conversation& conversation, const std::filesystem::path& root) {
  const auto below_root = [&](std::string& reference) {
    const bool elsewhere = reference.empty() || reference == "-" || reference.starts_with("data:") ||
                           reference.find("://") != std::string::npos || reference.front() == '/';
    if (!elsewhere) reference = (root / reference).string();
  };
  for (Message& message : conversation) {
    for (ContentPart& part : message.parts) {
      below_root(part.media);
      for (std::string& frame : part.frames) below_root(frame);
    }
  }
}

}  // namespace vl3::text
