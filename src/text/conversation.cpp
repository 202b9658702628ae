#include "text/conversation.h"

#include <utility>

namespace vl3 {
namespace {

ContentPart part_of(PartKind kind, std::string media) {
  ContentPart part;
  part.kind = kind;
  part.media = std::move(media);
  return part;
}

}  // namespace

const char* role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kStream:
      return "stream";
  }
  return "user";
}

std::optional<int64_t> ContentPart::prompt_frames() const {
  if (kind == PartKind::kText) return 0;
  if (kind == PartKind::kImage) return 1;
  if (!timestamps.empty()) return static_cast<int64_t>(timestamps.size());
  if (!frames.empty()) return static_cast<int64_t>(frames.size());
  return num_frames;
}

ContentPart text_part(std::string text) {
  ContentPart part;
  part.text = std::move(text);
  return part;
}

ContentPart image_part(std::string media) { return part_of(PartKind::kImage, std::move(media)); }
ContentPart video_part(std::string media) { return part_of(PartKind::kVideo, std::move(media)); }

ContentPart media_part(std::string media) { return part_of(PartKind::kMedia, std::move(media)); }

Message user_message(std::vector<ContentPart> parts) { return {Role::kUser, std::move(parts), false}; }

}  // namespace vl3
