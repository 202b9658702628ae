#include "serve/openai/messages.h"

#include <fmt/format.h>

#include "serve/openai/api_error.h"
#include "serve/openai/fields.h"

namespace vl3::serve {
namespace {

constexpr std::string_view kFrames = "data:video/jpeg;base64,";
constexpr size_t kMaxUuid = 256;

bool is_media(const std::string& type) {
  return type == "image_url" || type == "image" || type == "video_url" || type == "input_video" ||
         type == "video";
}

// vLLM's frames in one URL: JPEG pictures joined by commas.
Json frames_of(const std::string& url) {
  Json frames = Json::array();
  size_t begin = kFrames.size();
  while (begin <= url.size()) {
    const size_t end = std::min(url.find(',', begin), url.size());
    frames.push_back("data:image/jpeg;base64," + url.substr(begin, end - begin));
    begin = end + 1;
  }
  return frames;
}

void normalise_reference(Json& part, const std::string& type) {
  Json& value = part[type];
  const bool video = type != "image_url" && type != "image";
  if (value.is_object() && value.contains("data") && value["data"].is_string()) {
    const std::string data = value["data"].get<std::string>();
    const char* kind = video ? "data:video/mp4;base64," : "data:image/png;base64,";
    value["url"] = data.starts_with("data:") ? data : kind + data;
    value.erase("data");
    value.erase("format");
  }
  if (value.is_object() && value.contains("uuid")) {
    if (!part.contains("uuid")) part["uuid"] = value["uuid"];
    value.erase("uuid");
  }
  const Json* url = value.is_string()                            ? &value
                    : value.is_object() && value.contains("url") ? &value["url"]
                                                                 : nullptr;
  if (video && url != nullptr && url->is_string() && url->get_ref<const std::string&>().starts_with(kFrames))
    value = frames_of(url->get<std::string>());
}

std::string normalise_part(Json& part, const std::string& where) {
  const std::string type = part.value("type", "");
  for (const char* ignored : {"cache_control"}) part.erase(ignored);
  if (!is_media(type)) return "";
  std::string uuid;
  normalise_reference(part, type);
  if (part.contains("uuid") && !part["uuid"].is_null()) {
    if (!part["uuid"].is_string() || part["uuid"].get_ref<const std::string&>().empty() ||
        part["uuid"].get_ref<const std::string&>().size() > kMaxUuid)
      throw ApiError(400, fmt::format("{}.uuid must be a string of 1 to {} bytes", where, kMaxUuid),
                     where + ".uuid");
    uuid = part["uuid"].get<std::string>();
  }
  if (part[type].is_null() && !part.contains("frames")) {
    if (uuid.empty())
      throw ApiError(
          400, fmt::format("{}.{} is missing; only a medium with a known uuid may be null", where, type),
          fmt::format("{}.{}", where, type));
    part[type] = "uuid:" + uuid;
  }
  if (part.contains("frames") && part[type].is_null()) part.erase(type);
  return uuid;
}

}  // namespace

std::vector<std::string> normalise_messages(Json& messages) {
  std::vector<std::string> uuids;
  if (!messages.is_array()) return uuids;  // the parser says what is wrong
  for (size_t m = 0; m < messages.size(); ++m) {
    Json& message = messages[m];
    if (!message.is_object()) continue;
    if (message.value("role", Json()) == "developer") message["role"] = "system";
    if (message.contains("content") && message["content"].is_null() &&
        message.value("role", Json()) == "assistant")
      message["content"] = "";
    if (message.contains("name")) message.erase("name");
    if (!message.contains("content") || !message["content"].is_array()) continue;
    Json& content = message["content"];
    for (size_t p = 0; p < content.size(); ++p) {
      if (!content[p].is_object()) continue;
      const bool typed = content[p].contains("type") && content[p]["type"].is_string();
      if (!typed) continue;
      const std::string type = content[p]["type"].get<std::string>();
      const std::string uuid = normalise_part(content[p], fmt::format("messages[{}].content[{}]", m, p));
      if (is_media(type)) uuids.push_back(uuid);
    }
  }
  return uuids;
}

}  // namespace vl3::serve
