#include "serve/media/worker_job.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "core/check.h"
#include "media/source.h"
#include "serve/media/worker_channel.h"

namespace vl3::serve {
namespace {

constexpr double kForever = 1e9;

Json error_json(const Error& error) {
  return {{"error", error.what()}, {"code", static_cast<int>(error.code())}};
}

media::MediaLimits limits_from(const Json& json) {
  media::MediaLimits limits;
  limits.max_bytes = json.at("max_bytes");
  limits.max_file_bytes = json.at("max_file_bytes");
  limits.max_pixels = json.at("max_pixels");
  limits.max_frame_pixels = json.at("max_frame_pixels");
  limits.max_video_pixels = json.at("max_video_pixels");
  limits.max_animation_pixels = json.at("max_animation_pixels");
  limits.max_frames = json.at("max_frames");
  limits.max_seconds = json.at("max_seconds");
  limits.timeout_s = json.at("timeout_s");
  return limits;
}

template <typename T>
void read(const Json& json, const char* key, std::optional<T>& value) {
  if (json.contains(key)) value = json.at(key).get<T>();
}

// The part as it was, its references numbered: "0", "1", …
text::ContentPart part_from(const Json& json) {
  text::ContentPart part;
  part.kind = static_cast<text::PartKind>(json.at("kind").get<int>());
  const size_t count = json.at("names").size();
  if (json.at("frames").get<bool>()) {
    for (size_t i = 0; i < count; ++i) part.frames.push_back(std::to_string(i));
  } else {
    part.media = std::to_string(0);
  }
  part.timestamps = json.at("timestamps").get<std::vector<double>>();
  read(json, "timestamp", part.timestamp);
  read(json, "fps", part.fps);
  read(json, "max_frames", part.max_frames);
  read(json, "start", part.start);
  read(json, "end", part.end);
  read(json, "num_frames", part.num_frames);
  part.source = json.at("source").get<std::string>();
  return part;
}

std::string read_piece(int fd, uint64_t offset, uint64_t size) {
  std::string bytes(size, '\0');
  for (size_t done = 0; done < size;) {
    const ssize_t got = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    VL3_CHECK(got > 0, kCorrupt, "the pack of media is shorter than promised");
    done += static_cast<size_t>(got);
  }
  return bytes;
}

/// The contents in order, as worker_request() announced them. A packed one is read when it is asked for.
std::vector<std::function<media::MediaData()>> receive_contents(WorkerChannel& channel, const Json& request,
                                                                const media::MediaLimits& limits) {
  const auto names = request.at("names").get<std::vector<std::string>>();
  const Json& packed = request.at("packed");
  const auto own = static_cast<size_t>(std::count(packed.begin(), packed.end(), Json()));
  const std::vector<int> fds = channel.receive_fds(own + (own < names.size() ? 1 : 0), kForever);
  std::vector<std::function<media::MediaData()>> contents;
  uint64_t offset = 0;
  size_t next = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (packed.at(i).is_null()) {
      contents.emplace_back([name = names[i], path = fmt::format("/proc/self/fd/{}", fds.at(next++))] {
        return media::MediaData{.name = name, .path = path, .bytes = nullptr, .owner = nullptr};
      });
      continue;
    }
    const auto size = packed.at(i).get<uint64_t>();
    contents.emplace_back([name = names[i], pack = fds.back(), offset, size, limits] {
      return media::media_from_bytes(read_piece(pack, offset, size), name, limits);
    });
    offset += size;
  }
  return contents;
}

void stream(WorkerChannel& channel, const preprocess::MediaEntry& entry) {
  const media::FrameSource source = entry.open();
  while (const auto frame = source()) {
    channel.send(Json{{"height", frame->height}, {"width", frame->width}, {"pts_s", frame->pts_s}}.dump(),
                 kForever);
    channel.send({reinterpret_cast<const char*>(frame->rgb.data()), frame->rgb.size()}, kForever);
  }
  channel.send(Json{{"end", true}, {"warnings", entry.warnings->list()}}.dump(), kForever);
}

}  // namespace

Json worker_request(const text::ContentPart& part, const std::vector<WorkerContent>& contents,
                    const weights::PreprocessConfig& config, const media::MediaLimits& limits) {
  Json names = Json::array(), packed = Json::array();
  for (const WorkerContent& content : contents) {
    names.push_back(content.name);
    packed.push_back(content.packed ? Json(*content.packed) : Json());
  }
  Json json = {{"kind", static_cast<int>(part.kind)},
               {"frames", !part.frames.empty()},
               {"names", std::move(names)},
               {"packed", std::move(packed)},
               {"timestamps", part.timestamps},
               {"source", part.source},
               {"config",
                {{"flow", static_cast<int>(config.flow)},
                 {"fps", config.fps},
                 {"max_frames", config.max_frames},
                 {"min_frames", config.min_frames}}},
               {"limits",
                {{"max_bytes", limits.max_bytes},
                 {"max_file_bytes", limits.max_file_bytes},
                 {"max_pixels", limits.max_pixels},
                 {"max_frame_pixels", limits.max_frame_pixels},
                 {"max_video_pixels", limits.max_video_pixels},
                 {"max_animation_pixels", limits.max_animation_pixels},
                 {"max_frames", limits.max_frames},
                 {"max_seconds", limits.max_seconds},
                 {"timeout_s", limits.timeout_s}}}};
  if (part.timestamp) json["timestamp"] = *part.timestamp;
  if (part.fps) json["fps"] = *part.fps;
  if (part.max_frames) json["max_frames"] = *part.max_frames;
  if (part.start) json["start"] = *part.start;
  if (part.end) json["end"] = *part.end;
  if (part.num_frames) json["num_frames"] = *part.num_frames;
  return json;
}

Json entry_to_json(const preprocess::MediaEntry& entry, const text::ContentPart& part) {
  Json json = {{"part_kind", static_cast<int>(part.kind)},
               {"name", entry.name},
               {"kind", static_cast<int>(entry.shape.kind)},
               {"height", entry.shape.size.height},
               {"width", entry.shape.size.width},
               {"frames", entry.shape.frames},
               {"timestamps", entry.timestamps},
               {"source_index", entry.source_index},
               {"damaged", entry.damaged},
               {"warnings", entry.warnings->list()},
               {"numpy_times", entry.numpy_times}};
  if (entry.duration_s) json["duration_s"] = *entry.duration_s;
  return json;
}

preprocess::MediaEntry entry_from_json(const Json& json, text::ContentPart& part) {
  try {
    preprocess::MediaEntry entry;
    part.kind = static_cast<text::PartKind>(json.at("part_kind").get<int>());
    entry.name = json.at("name");
    entry.shape.kind = static_cast<preprocess::MediaKind>(json.at("kind").get<int>());
    entry.shape.size = {json.at("height"), json.at("width")};
    entry.shape.frames = json.at("frames");
    entry.timestamps = json.at("timestamps").get<std::vector<double>>();
    entry.source_index = json.at("source_index").get<std::vector<int64_t>>();
    entry.damaged = json.at("damaged");
    entry.numpy_times = json.at("numpy_times");
    for (const Json& warning : json.at("warnings")) entry.warnings->add(warning.get<std::string>());
    read(json, "duration_s", entry.duration_s);
    return entry;
  } catch (const Json::exception& error) {
    VL3_FAIL(kCorrupt, "the decoder's description cannot be read: {}", error.what());
  }
}

void serve_worker_job(int fd) {
  WorkerChannel channel(fd);
  try {
    const Json request = parse_json(channel.receive(64 << 20, kForever), "request");
    weights::PreprocessConfig config;
    config.flow = static_cast<Flow>(request.at("config").at("flow").get<int>());
    config.fps = request.at("config").at("fps");
    config.max_frames = request.at("config").at("max_frames");
    config.min_frames = request.at("config").at("min_frames");
    preprocess::MediaSetOptions options;
    options.limits = limits_from(request.at("limits"));
    options.keys = false;
    options.decoder_threads = 1;  // the same frames flagged as damaged every time, and one core a medium
    const auto contents = receive_contents(channel, request, options.limits);
    options.opener = [&](const std::string& reference) -> preprocess::MediaContent {
      return contents.at(std::stoul(reference))();
    };
    text::Conversation conversation = {
        {.role = Role::kUser, .parts = {part_from(request)}, .content_was_string = false}};
    const auto entries = preprocess::open_media_set(conversation, config, options);
    channel.send(entry_to_json(entries.front(), conversation.front().parts.front()).dump(), kForever);
    while (true) {
      channel.receive(1 << 10, kForever);  // "open"
      stream(channel, entries.front());
    }
  } catch (const Error& error) {
    // Where the server is gone this fails, too, and the child ends.
    channel.send(error_json(error).dump(-1, ' ', false, Json::error_handler_t::replace), kForever);
  }
}

}  // namespace vl3::serve
