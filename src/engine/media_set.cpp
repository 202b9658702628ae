#include "engine/media_set.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include "core/check.h"
#include "media/image_reader.h"
#include "media/probe.h"
#include "media/sampled_reader.h"

namespace vl3::engine {
namespace {

std::string sha256_hex(std::string_view data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  VL3_CHECK(EVP_Digest(data.data(), data.size(), digest, &size, EVP_sha256(), nullptr) == 1, kInternal,
            "SHA-256 failed");
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

/// A video given as pictures.
void describe_frame_list(MediaEntry& entry, const text::ContentPart& part, Flow flow,
                         const media::MediaLimits& limits) {
  std::vector<media::MediaData> pictures;
  for (const std::string& frame : part.frames) pictures.push_back(media::open_media(frame, limits));
  entry.timestamps = part.timestamps;
  if (entry.timestamps.empty() && flow == Flow::kNative) {
    // Frames without metadata count as one a second there.
    for (size_t i = 0; i < pictures.size(); ++i) entry.timestamps.push_back(static_cast<double>(i));
  }
  describe_pictures(entry, std::move(pictures), flow, limits);
}

void describe_video(MediaEntry& entry, const media::MediaData& data, media::MediaInfo info,
                    const text::ContentPart& part, const weights::PreprocessConfig& config,
                    const media::MediaLimits& limits) {
  media::SampleOptions options;
  options.flow = config.flow;
  options.fps = part.fps.value_or(config.fps);
  options.max_frames = part.max_frames.value_or(config.max_frames);
  options.start_s = part.start;
  options.end_s = part.end;
  media::SampledFrames frames = media::plan_frames(info.index, info.video, options);
  entry.shape.size = {info.height, info.width};
  entry.shape.frames = static_cast<int64_t>(frames.size());
  entry.duration_s = info.duration_s;
  entry.numpy_times = config.flow == Flow::kRemote && info.kind == media::MediaKind::kVideo;
  entry.key = content_key(data);
  for (const media::SampledFrame& frame : frames) {
    entry.timestamps.push_back(frame.timestamp_s);
    entry.source_index.push_back(frame.source_index);
    entry.key += fmt::format(",{}", frame.source_index);
  }
  // The index is shared, not copied, by every opening.
  auto index = std::make_shared<const media::FrameIndex>(std::move(info.index));
  entry.open = [data, index, frames = std::move(frames), limits, flow = config.flow]() -> FrameSource {
    media::SampledReaderOptions reader_options;
    reader_options.flow = flow;
    auto reader = std::make_shared<media::SampledReader>(data, *index, frames, limits, reader_options);
    return [reader] { return reader->next(); };
  };
}

MediaEntry open_part(text::ContentPart& part, const weights::PreprocessConfig& config,
                     const media::MediaLimits& limits) {
  MediaEntry entry;
  if (!part.frames.empty()) {
    entry.name = fmt::format("video of {} pictures", part.frames.size());
    entry.shape.kind = preprocess::MediaKind::kVideo;
    describe_frame_list(entry, part, config.flow, limits);
    return entry;
  }
  const media::MediaData data = media::open_media(part.media, limits);
  entry.name = data.name;
  std::optional<media::MediaKind> as;
  if (part.kind == text::PartKind::kImage) as = media::MediaKind::kImage;
  if (part.kind == text::PartKind::kVideo) {
    const bool folder = !data.in_memory() && std::filesystem::is_directory(data.path);
    as = folder ? media::MediaKind::kFrameFolder : media::MediaKind::kVideo;
  }
  media::MediaInfo info = media::probe_media(data, config.flow, limits, as);
  if (info.kind == media::MediaKind::kImage) {
    part.kind = text::PartKind::kImage;
    entry.shape.kind = preprocess::MediaKind::kImage;
    describe_pictures(entry, {data}, config.flow, limits);
  } else {
    part.kind = text::PartKind::kVideo;
    entry.shape.kind = preprocess::MediaKind::kVideo;
    describe_video(entry, data, std::move(info), part, config, limits);
  }
  return entry;
}

}  // namespace

std::vector<MediaEntry> open_media_set(text::Conversation& conversation,
                                       const weights::PreprocessConfig& config,
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
