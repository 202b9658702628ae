#include "eval/run/conversation.h"

#include "core/check.h"
#include "eval/run/prompt.h"
#include "media/data_url.h"
#include "media/png_writer.h"

namespace vl3::eval {
namespace {

std::string media_type(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.starts_with("\xff\xd8")) return "image/jpeg";
  if (bytes.starts_with("GIF8")) return "image/gif";
  if (bytes.starts_with("RIFF") && bytes.substr(8, 4) == "WEBP") return "image/webp";
  if (bytes.substr(4, 4) == "ftyp") return "video/mp4";
  if (bytes.starts_with("\x1a\x45\xdf\xa3")) return "video/x-matroska";
  return "application/octet-stream";
}

}  // namespace

std::string data_url(const std::string& bytes) { return media::encode_data_url(media_type(bytes), bytes); }

const std::vector<double>& ConversationBuilder::times_of(const Medium& video) {
  Video& known = videos_[video.key()];
  if (known.times.empty()) known.times = frame_times(video, sampling_);
  return known.times;
}

const ConversationBuilder::Video& ConversationBuilder::pictures_of(const Medium& video) {
  Video& known = videos_[video.key()];
  if (!known.pictures.empty()) return known;
  known.times.clear();
  for (const media::Frame& frame : read_frames(video, sampling_)) {
    known.times.push_back(frame.pts_s);
    known.pictures.push_back(data_url(media::encode_png(frame)));
  }
  return known;
}

ContentPart ConversationBuilder::video_part(const Medium& video, size_t first, size_t count) {
  if (count == 0 && !pictures_) {
    ContentPart part = vl3::video_part(video.path.string());
    part.fps = sampling_.fps;
    part.max_frames = sampling_.max_frames;
    part.start = video.start;
    part.end = video.end;
    part.precise_time = true;
    return part;
  }
  const Video& known = pictures_of(video);
  const size_t end = count == 0 ? known.pictures.size() : std::min(first + count, known.pictures.size());
  VL3_CHECK(first < end, kCorrupt, "{}: broke off before frame {}", video.path.string(), first);
  ContentPart part;
  part.kind = PartKind::kVideo;
  part.source = video.path.string();
  part.frames.assign(known.pictures.begin() + static_cast<int64_t>(first),
                     known.pictures.begin() + static_cast<int64_t>(end));
  part.timestamps.assign(known.times.begin() + static_cast<int64_t>(first),
                         known.times.begin() + static_cast<int64_t>(end));
  return part;
}

Conversation ConversationBuilder::build(const Item& item) {
  std::vector<ContentPart> parts;
  for (const PromptPart& part : prompt_parts(item, [&](const Medium& video) { return times_of(video); })) {
    if (part.medium < 0) {
      parts.push_back(text_part(part.text));
      continue;
    }
    const Medium& medium = item.media[static_cast<size_t>(part.medium)];
    if (medium.video)
      parts.push_back(video_part(medium, part.first_frame, part.frames));
    else
      parts.push_back(image_part(medium.bytes ? data_url(medium.bytes()) : medium.path.string()));
  }
  return {user_message(std::move(parts))};
}

}  // namespace vl3::eval
