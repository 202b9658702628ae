// SampleBuilder::estimate_tokens(): lengths for balancing, known before anything is decoded.
#include <algorithm>
#include <filesystem>

#include "core/check.h"
#include "data/sample_builder.h"
#include "media/demuxer.h"
#include "media/image_reader.h"
#include "preprocess/target_size.h"

namespace vl3::data {
namespace {

constexpr int64_t kBytesPerToken = 4;
constexpr int64_t kTokensPerMessage = 5;
constexpr preprocess::Size kUnknownVideo{360, 640};

/// The frames that sampling will about choose of `seconds` of video.
int64_t frames_of(double seconds, const text::ContentPart& part, const weights::PreprocessConfig& config) {
  const double end = std::min(part.end.value_or(seconds), seconds);
  const double window = std::max(end - part.start.value_or(0), 0.0);
  const double fps = part.fps.value_or(config.fps);
  const auto most = static_cast<double>(part.max_frames.value_or(config.max_frames));
  return static_cast<int64_t>(std::clamp(window * fps, 1.0, most));
}

preprocess::Size size_of(const media::ImageSize& size) { return {size.height, size.width}; }

/// Shape of a medium from headers alone.
preprocess::MediaShape guess_shape(const text::ContentPart& part, const weights::PreprocessConfig& config,
                                   const preprocess::MediaSetOptions& options) {
  using preprocess::MediaKind;
  preprocess::MediaShape shape;
  const std::string& first = part.frames.empty() ? part.media : part.frames.front();
  const preprocess::MediaContent content = options.opener(first);
  shape.kind = part.kind == text::PartKind::kVideo ? MediaKind::kVideo : MediaKind::kImage;
  if (const auto* pictures = std::get_if<std::shared_ptr<const preprocess::Pictures>>(&content)) {
    const std::vector<media::Frame>& frames = (*pictures)->frames;
    if (frames.empty()) return shape;
    shape.size = {frames.front().height, frames.front().width};
    if (shape.kind == MediaKind::kVideo) {
      shape.frames = std::min<int64_t>(static_cast<int64_t>(frames.size()), config.max_frames);
    }
    return shape;
  }
  const auto& data = std::get<media::MediaData>(content);
  if (shape.kind == MediaKind::kImage || !part.frames.empty()) {
    shape.size = size_of(media::read_image_size(data, config.flow, options.limits));
    if (!part.frames.empty()) shape.frames = static_cast<int64_t>(part.frames.size());
    return shape;
  }
  if (!data.in_memory() && std::filesystem::is_directory(data.path)) {
    const auto frames = media::list_frames(data.path, options.limits);
    const media::MediaData picture{
        .name = frames[0].string(), .path = frames[0], .bytes = nullptr, .owner = nullptr};
    shape.size = size_of(media::read_image_size(picture, config.flow, options.limits));
    shape.frames = frames_of(static_cast<double>(frames.size()) / 3.0, part, config);
    return shape;
  }
  try {
    const media::VideoInfo info = media::Demuxer(data, options.limits).info();
    shape.size = {info.height, info.width};
    shape.frames = frames_of(info.duration_s, part, config);
  } catch (const Error&) {  // glanced at, its header lies at its end
    shape.size = kUnknownVideo;
    shape.frames = config.max_frames;
  }
  return shape;
}

}  // namespace

int64_t SampleBuilder::estimate_tokens(const Record& record) const {
  try {
    const RecordContent content = record.glance ? record.glance() : record.load();
    const ParsedRecord parsed = parse(content);
    const preprocess::MediaSetOptions options = media_options(content);
    std::vector<preprocess::MediaShape> shapes;
    size_t bytes = 0;
    auto messages = static_cast<int64_t>(parsed.conversation.size() + parsed.turns.size());
    for (const text::Message& message : parsed.conversation) {
      for (const text::ContentPart& part : message.parts) {
        bytes += part.text.size();
        if (part.kind != text::PartKind::kText) shapes.push_back(guess_shape(part, preprocess_, options));
      }
    }
    for (const StreamTurn& turn : parsed.turns) bytes += turn.content.size();
    if (parsed.stream) {
      text::ContentPart video = text::video_part(parsed.stream_video);
      video.start = parsed.start_s;
      video.end = parsed.end_s;
      shapes.push_back(guess_shape(video, preprocess_, options));
      messages += shapes.back().frames;
    }
    const int64_t visual = preprocess::plan_request(shapes, preprocess_).total_tokens;
    const int64_t total =
        visual + messages * kTokensPerMessage + static_cast<int64_t>(bytes) / kBytesPerToken;
    return std::clamp<int64_t>(total, 1, data_.model_max_length);
  } catch (const std::exception&) {  // of files, of memory, of JSON
  }
  return 1;  // building it will tell what is wrong
}

}  // namespace vl3::data
