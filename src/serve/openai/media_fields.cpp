#include "serve/openai/media_fields.h"

#include <fmt/format.h>

namespace vl3::serve {
namespace {

constexpr double kEveryFrame = 1000;  // frames a second: more than any video has
constexpr int64_t kMaxTokens = 1 << 24;

void read_media_io(Fields& fields, ApiRequest& request) {
  const Json* kwargs = fields.find("media_io_kwargs");
  if (kwargs == nullptr) return;
  AskOptions& options = request.job.options;
  Fields outer(*kwargs, "media_io_kwargs");
  if (const Json* video = outer.find("video")) {
    Fields inner(*video, "media_io_kwargs.video");
    const auto frames = inner.integer("num_frames", -1, kMaxVideoFrames);
    const auto fps = inner.number("fps", -1, 1000);
    const bool rate = fps && *fps > 0;
    if (rate) options.fps = *fps;
    if (frames && *frames == 0) inner.fail("num_frames", "-1 (all) or at least 1");
    if (frames && !rate) options.fps = kEveryFrame;  // so many, evenly over the whole video
    if (frames && *frames > 0) options.max_frames = *frames;
    inner.add_unread(request.unknown);
  }
  outer.add_unread(request.unknown);
}

void read_processor(Fields& fields, ApiRequest& request) {
  const Json* kwargs = fields.find("mm_processor_kwargs");
  if (kwargs == nullptr) return;
  AskOptions& options = request.job.options;
  Fields inner(*kwargs, "mm_processor_kwargs");
  if (const auto fps = inner.number("fps", 0.001, 1000)) options.fps = *fps;
  if (const auto frames = inner.integer("max_frames", 1, kMaxVideoFrames)) options.max_frames = *frames;
  if (const auto tokens = inner.integer("max_visual_tokens", 1, kMaxTokens))
    options.max_visual_tokens = *tokens;
  if (inner.boolean("do_sample_frames") == false) options.fps = kEveryFrame;
  for (const char* key : {"min_pixels", "max_pixels", "size"}) {
    if (inner.find(key) != nullptr)
      throw ApiError(400, fmt::format("{} is not supported; use max_visual_tokens", inner.path(key)),
                     inner.path(key));
  }
  inner.add_unread(request.unknown);
}

}  // namespace

void read_media_options(Fields& fields, ApiRequest& request) {
  AskOptions& options = request.job.options;
  options.fps = fields.number("fps", 0.001, 1000);
  options.max_frames = fields.integer("max_frames", 1, kMaxVideoFrames);
  options.start = fields.number("start", 0, 1e9);
  options.end = fields.number("end", 0, 1e9);
  options.max_visual_tokens = fields.integer("max_visual_tokens", 1, kMaxTokens);
  if (const auto threshold = fields.number("prune_threshold", 0, 255)) {
    options.prune.enabled = true;
    options.prune.threshold = *threshold;
  }
  if (const auto budget = fields.integer("prune_to", 1, kMaxTokens)) options.prune.max_tokens = *budget;
  if (const auto reference = fields.string("prune_reference", 32)) options.prune.reference = *reference;
  read_media_io(fields, request);
  read_processor(fields, request);
}

void check_media(const ApiRequest& request, const RequestLimits& limits) {
  int64_t media = 0;
  const auto too_many = [&](int64_t frames, const std::string& param) {
    if (frames > limits.max_frames)
      throw ApiError(400, fmt::format("{} frames of a video, the limit is {}", frames, limits.max_frames),
                     param);
  };
  too_many(request.job.options.max_frames.value_or(0), "max_frames");
  for (size_t m = 0; m < request.job.conversation.size(); ++m) {
    for (const ContentPart& part : request.job.conversation[m].parts) {
      if (part.kind == PartKind::kText) continue;
      ++media;
      const std::string where = fmt::format("messages[{}]", m);
      too_many(static_cast<int64_t>(part.frames.size()), where);
      too_many(part.max_frames.value_or(0), where);
      too_many(part.num_frames.value_or(0), where);
    }
  }
  if (media > limits.max_media)
    throw ApiError(400, fmt::format("{} images and videos, the limit is {}", media, limits.max_media),
                   "messages");
}

}  // namespace vl3::serve
