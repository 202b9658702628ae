#include "engine/media_set.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include "core/check.h"
#include "media/image_reader.h"

namespace vl3::engine {
namespace {

std::string sha256_hex(std::string_view data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  VL3_CHECK(EVP_Digest(data.data(), data.size(), digest, &size, EVP_sha256(), nullptr) == 1, kInternal, "SHA-256 failed");
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

/// Names content: a hash of bytes in memory; path, inode, size and time of change of a file.
std::string content_key(const media::MediaData& data) {
  if (data.in_memory()) return "sha256:" + sha256_hex(*data.bytes);
  struct stat status {};
  VL3_CHECK(::stat(data.path.c_str(), &status) == 0, kNotFound, "{}: cannot be read", data.name);
  return fmt::format("file:{}:{}:{}:{}.{}", std::filesystem::absolute(data.path).string(), status.st_ino,
                     status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

void describe_pictures(MediaEntry& entry, std::vector<media::MediaData> pictures, Flow flow,
                       const media::MediaLimits& limits) {
  const media::ImageSize size = media::read_image_size(pictures.front(), flow, limits);
  entry.shape.size = {size.height, size.width};
  entry.shape.frames = static_cast<int64_t>(pictures.size());
  for (const media::MediaData& picture : pictures) entry.key += content_key(picture) + ";";
  entry.open = [pictures = std::move(pictures), flow, limits]() -> FrameSource {
    return [pictures, flow, limits, next = size_t{0}]() mutable -> std::optional<media::Frame> {
      if (next == pictures.size()) return std::nullopt;
      return media::read_image(pictures[next++], flow, limits);
    };
  };
}

MediaEntry open_part(const text::ContentPart& part, const weights::PreprocessConfig& config,
                     const media::MediaLimits& limits) {
  MediaEntry entry;
  entry.name = part.media.empty() ? fmt::format("video of {} pictures", part.frames.size()) : part.media;
  if (part.kind == text::PartKind::kImage) {
    entry.shape.kind = preprocess::MediaKind::kImage;
    describe_pictures(entry, {media::open_media(part.media, limits)}, config.flow, limits);
    return entry;
  }
  entry.shape.kind = preprocess::MediaKind::kVideo;
  if (!part.frames.empty()) {
    std::vector<media::MediaData> pictures;
    for (const std::string& frame : part.frames) pictures.push_back(media::open_media(frame, limits));
    entry.timestamps = part.timestamps;
    if (entry.timestamps.empty() && config.flow == Flow::kNative) {
      // Frames without metadata count as one a second there.
      for (size_t i = 0; i < pictures.size(); ++i) entry.timestamps.push_back(static_cast<double>(i));
    }
    describe_pictures(entry, std::move(pictures), config.flow, limits);
    return entry;
  }
  VL3_FAIL(kUnsupported, "video files");
}

}  // namespace

std::vector<MediaEntry> open_media_set(text::Conversation& conversation, const weights::PreprocessConfig& config,
                                       const media::MediaLimits& limits) {
  std::vector<MediaEntry> entries;
  for (size_t m = 0; m < conversation.size(); ++m) {
    for (size_t p = 0; p < conversation[m].parts.size(); ++p) {
      text::ContentPart& part = conversation[m].parts[p];
      if (part.kind == text::PartKind::kText) continue;
      MediaEntry entry = open_part(part, config, limits);
      entry.message = m;
      entry.part = p;
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

}  // namespace vl3::engine
