#include "preprocess/media_set.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "core/check.h"
#include "core/digest.h"
#include "core/printable.h"
#include "media/frame_sampler.h"
#include "media/image_reader.h"
#include "media/probe.h"
#include "media/sampled_reader.h"

namespace vl3::preprocess {
namespace {

std::string file_key(const std::filesystem::path& path, const std::string& name) {
  struct stat status {};
  VL3_CHECK(::stat(path.c_str(), &status) == 0, kNotFound, "{}: cannot be read", name);
  return fmt::format("file:{}:{}:{}:{}.{}", std::filesystem::absolute(path).string(), status.st_ino,
                     status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/// Names content: a hash of bytes in memory; path, inode, size and time of change of a file. A folder's own
/// time does not change when a picture in it is written over, so the pictures count one by one.
std::string content_key(const media::MediaData& data, const media::MediaLimits& limits) {
  if (data.in_memory()) return "sha256:" + sha256_hex(*data.bytes);
  if (!std::filesystem::is_directory(data.path)) return file_key(data.path, data.name);
  std::string keys;
  for (const std::filesystem::path& picture : media::list_frames(data.path, limits)) {
    keys += file_key(picture, data.name) + ";";
  }
  return "folder:" + sha256_hex(keys);
}

MediaContent open_content(const std::string& reference, const MediaSetOptions& options) {
  if (options.opener) return options.opener(reference);
  return media::open_media(reference, options.limits);
}

/// A picture file of a video given as pictures.
media::MediaData open_file(const std::string& reference, const MediaSetOptions& options) {
  MediaContent content = open_content(reference, options);
  VL3_CHECK(std::holds_alternative<media::MediaData>(content), kInvalidArgument,
            "{}: is no picture file; name decoded pictures as one video", reference);
  return std::get<media::MediaData>(std::move(content));
}

/// Pictures held in memory, taken as they are.
void describe_memory(MediaEntry& entry, const std::shared_ptr<const Pictures>& pictures,
                     text::ContentPart& part, const weights::PreprocessConfig& config) {
  const auto count = static_cast<int64_t>(pictures->frames.size());
  const size_t times = pictures->timestamps.size();
  const bool video =
      part.kind == text::PartKind::kVideo || (part.kind == text::PartKind::kMedia && times > 0);
  VL3_CHECK(count >= 1 && (times == 0 || times == pictures->frames.size()), kInvalidArgument,
            "{}: {} pictures with {} times", entry.name, count, times);
  VL3_CHECK(video || count == 1, kInvalidArgument, "{}: an image of {} pictures; use it as a video",
            entry.name, count);
  for (const media::Frame& frame : pictures->frames) {
    VL3_CHECK(
        frame.height >= 1 && frame.width >= 1 &&
            frame.rgb.size() == static_cast<size_t>(frame.height) * static_cast<size_t>(frame.width) * 3,
        kInvalidArgument, "{}: a picture of {} x {} pixels with {} bytes", entry.name, frame.width,
        frame.height, frame.rgb.size());
  }
  part.kind = video ? text::PartKind::kVideo : text::PartKind::kImage;
  entry.shape.kind = video ? preprocess::MediaKind::kVideo : preprocess::MediaKind::kImage;
  entry.shape.size = {pictures->frames.front().height, pictures->frames.front().width};
  std::vector<size_t> chosen;
  const int64_t most = video ? part.max_frames.value_or(config.max_frames) : 1;
  for (const int64_t i : media::linspace_indices(count, std::min(count, most))) {
    const auto at = static_cast<size_t>(i);
    const double time = times > 0 ? pictures->timestamps[at] : static_cast<double>(i);
    if (video && (part.start.value_or(time) > time || part.end.value_or(time) < time)) continue;
    chosen.push_back(at);
    if (video) entry.timestamps.push_back(time);
    if (video) entry.source_index.push_back(i);
  }
  VL3_CHECK(!chosen.empty(), kInvalidArgument, "{}: no picture lies in its window", entry.name);
  entry.shape.frames = static_cast<int64_t>(chosen.size());
  entry.open = [pictures, chosen = std::move(chosen)]() -> media::FrameSource {
    return [pictures, chosen, next = size_t{0}]() mutable -> std::optional<media::Frame> {
      if (next == chosen.size()) return std::nullopt;
      return pictures->frames[chosen[next++]];
    };
  };
}

void describe_pictures(MediaEntry& entry, std::vector<media::MediaData> pictures, Flow flow,
                       const MediaSetOptions& options) {
  const media::MediaLimits& limits = options.limits;
  const media::ImageSize size = media::read_image_size(pictures.front(), flow, limits);
  entry.shape.size = {size.height, size.width};
  entry.shape.frames = static_cast<int64_t>(pictures.size());
  for (size_t i = 0; options.keys && i < pictures.size(); ++i)
    entry.key += content_key(pictures[i], limits) + ";";
  entry.open = [pictures = std::move(pictures), flow, limits]() -> media::FrameSource {
    return [pictures, flow, limits, next = size_t{0}]() mutable -> std::optional<media::Frame> {
      if (next == pictures.size()) return std::nullopt;
      return media::read_image(pictures[next++], flow, limits);
    };
  };
}

/// A video given as pictures.
void describe_frame_list(MediaEntry& entry, const text::ContentPart& part, Flow flow,
                         const MediaSetOptions& options) {
  const bool sampled = part.fps || part.max_frames || part.start || part.end;
  VL3_CHECK(
      !sampled || !part.source.empty(), kInvalidArgument,
      "{}: fps, max_frames, start and end choose frames of a video file, and here every picture is one; "
      "leave them out, or name the \"source\" they tell of",
      entry.name);
  std::vector<media::MediaData> pictures;
  for (const std::string& frame : part.frames) pictures.push_back(open_file(frame, options));
  entry.timestamps = part.timestamps;
  if (entry.timestamps.empty() && flow == Flow::kNative) {
    // Frames without metadata count as one a second there.
    for (size_t i = 0; i < pictures.size(); ++i) entry.timestamps.push_back(static_cast<double>(i));
  }
  describe_pictures(entry, std::move(pictures), flow, options);
}

void describe_video(MediaEntry& entry, const media::MediaData& data, media::MediaInfo info,
                    const text::ContentPart& part, const weights::PreprocessConfig& config,
                    const MediaSetOptions& options) {
  VL3_CHECK(part.timestamps.empty(), kInvalidArgument,
            "{}: timestamps go with a list of pictures; those of a video file come from the file",
            entry.name);
  VL3_CHECK(!part.num_frames || config.flow == Flow::kNative, kInvalidArgument,
            "{}: num_frames {} is for the native flow; the remote flow takes max_frames", entry.name,
            part.num_frames.value_or(0));
  VL3_CHECK(!part.num_frames || (!part.fps && !part.max_frames), kInvalidArgument,
            "{}: num_frames {} is the number of frames; leave fps and max_frames out", entry.name,
            part.num_frames.value_or(0));
  media::SampleOptions sampling;
  sampling.flow = config.flow;
  sampling.num_frames = part.num_frames;
  sampling.fps = part.fps.value_or(config.fps);
  sampling.max_frames = part.max_frames.value_or(config.max_frames);
  sampling.start_s = part.start;
  sampling.end_s = part.end;
  sampling.precise_time = part.precise_time;
  media::SampledFrames frames = media::plan_frames(info.index, info.video, sampling);
  entry.shape.size = {info.height, info.width};
  entry.shape.frames = static_cast<int64_t>(frames.size());
  entry.duration_s = info.duration_s;
  entry.damaged = info.index.damaged;
  entry.warnings->add(info.index.warning);
  entry.numpy_times = config.flow == Flow::kRemote && info.kind == media::MediaKind::kVideo;
  if (options.keys) entry.key = content_key(data, options.limits);
  for (const media::SampledFrame& frame : frames) {
    entry.timestamps.push_back(frame.timestamp_s);
    entry.source_index.push_back(frame.source_index);
    if (options.keys) entry.key += fmt::format(",{}", frame.source_index);
  }
  // The index is shared, not copied, by every opening.
  auto index = std::make_shared<const media::FrameIndex>(std::move(info.index));
  entry.open = [data, index, frames = std::move(frames), limits = options.limits,
                threads = options.decoder_threads, flow = config.flow,
                warnings = entry.warnings]() -> media::FrameSource {
    media::SampledReaderOptions reader_options;
    reader_options.flow = flow;
    reader_options.decoder_threads = threads;
    auto reader = std::make_shared<media::SampledReader>(data, *index, frames, limits, reader_options);
    return [reader, warnings] {
      std::optional<media::Frame> frame = reader->next();
      warnings->add(reader->warning());
      return frame;
    };
  };
}

MediaEntry open_part(text::ContentPart& part, const weights::PreprocessConfig& config,
                     const MediaSetOptions& options) {
  const media::MediaLimits& limits = options.limits;
  MediaEntry entry;
  if (!part.frames.empty()) {
    entry.name = fmt::format("video of {} pictures", part.frames.size());
    entry.shape.kind = preprocess::MediaKind::kVideo;
    describe_frame_list(entry, part, config.flow, options);
    return entry;
  }
  const MediaContent content = open_content(part.media, options);
  if (const auto* pictures = std::get_if<std::shared_ptr<const Pictures>>(&content)) {
    entry.name = printable(part.media);
    describe_memory(entry, *pictures, part, config);
    return entry;
  }
  const auto& data = std::get<media::MediaData>(content);
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
    describe_pictures(entry, {data}, config.flow, options);
  } else {
    part.kind = text::PartKind::kVideo;
    entry.shape.kind = preprocess::MediaKind::kVideo;
    describe_video(entry, data, std::move(info), part, config, options);
  }
  return entry;
}

}  // namespace

std::vector<MediaEntry> open_media_set(text::Conversation& conversation,
                                       const weights::PreprocessConfig& config,
                                       const MediaSetOptions& options) {
  std::vector<MediaEntry> entries;
  for (size_t m = 0; m < conversation.size(); ++m) {
    for (size_t p = 0; p < conversation[m].parts.size(); ++p) {
      text::ContentPart& part = conversation[m].parts[p];
      if (part.kind == text::PartKind::kText) continue;
      MediaEntry entry = options.describe ? options.describe(part) : open_part(part, config, options);
      entry.message = m;
      entry.part = p;
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

}  // namespace vl3::preprocess
