#include "engine/request.h"

#include <map>

#include "core/check.h"

namespace vl3::engine {
namespace {

void render(Request& request, const Runtime& runtime) {
  const weights::ModelConfig& config = runtime.config;
  const Flow flow = config.preprocess.flow;
  text::RenderOptions options;
  options.add_system_prompt = request.options.add_system_prompt.value_or(flow == Flow::kRemote);
  options.add_generation_prompt = request.options.add_generation_prompt;
  options.parse_special_in_text = request.options.parse_special_in_text;
  for (const preprocess::MediaEntry& entry : request.media) {
    text::ContentPart& part = request.conversation[entry.message].parts[entry.part];
    if (part.kind != text::PartKind::kVideo) continue;
    part.timestamps = entry.timestamps;
    part.numpy_times = entry.numpy_times;
    part.num_frames = entry.shape.frames;
    if (!part.frames.empty()) part.frames.resize(static_cast<size_t>(entry.shape.frames));
  }
  request.prompt = text::render(request.conversation, flow, options);

  const bool has_media = !request.media.empty();
  VL3_CHECK(!has_media || (config.image_token_id >= 0 && config.video_token_id >= 0), kInvalidArgument,
            "{}: config.json names no image token, so the model takes text only", config.dir.string());
  const std::vector<int64_t> one_each(static_cast<size_t>(request.prompt.num_places()), 1);
  const std::vector<int64_t> ids = text::tokenize(request.prompt, runtime.tokenizer(), one_each,
                                                  config.image_token_id, config.video_token_id);
  request.items.clear();
  size_t place = 0;
  std::vector<std::pair<int64_t, int64_t>> places;
  for (size_t m = 0; m < request.prompt.media.size(); ++m) {
    for (int64_t f = 0; f < request.prompt.media[m].frames; ++f) places.emplace_back(m, f);
  }
  for (const int64_t id : ids) {
    PromptItem item{id};
    const bool placeholder = id == config.image_token_id || id == config.video_token_id;
    if (placeholder && place < places.size()) {
      std::tie(item.medium, item.frame) = places[place++];
    }
    request.items.push_back(item);
  }
  VL3_DCHECK(place == places.size());
}

void add_bytes(const preprocess::MediaContent& content, std::map<const void*, uint64_t>& in_memory) {
  if (const auto* data = std::get_if<media::MediaData>(&content)) {
    if (data->in_memory()) in_memory[data->bytes.get()] = data->bytes->size();
    return;
  }
  const auto& pictures = std::get<std::shared_ptr<const preprocess::Pictures>>(content);
  uint64_t& bytes = in_memory[pictures.get()] = 0;
  for (const media::Frame& frame : pictures->frames) bytes += frame.rgb.size();
}

}  // namespace

int64_t Request::max_rows() const {
  int64_t rows = 0;
  for (const PromptItem& item : items) {
    rows += item.is_place() ? plan.media[static_cast<size_t>(item.medium)].tokens_per_frame : 1;
  }
  return rows;
}

int64_t Request::min_rows() const {
  int64_t rows = 0;
  for (const PromptItem& item : items) {
    const bool whole = item.is_place() && plan.media[static_cast<size_t>(item.medium)].shape.kind ==
                                              preprocess::MediaKind::kImage;
    rows += whole ? plan.media[static_cast<size_t>(item.medium)].tokens_per_frame : 1;
  }
  return rows;
}

std::vector<std::string> Request::warnings() const {
  std::vector<std::string> all;
  for (const preprocess::MediaEntry& entry : media) {
    const std::vector<std::string> of_medium = entry.warnings->list();
    all.insert(all.end(), of_medium.begin(), of_medium.end());
  }
  return all;
}

Request prepare_request(const Runtime& runtime, text::Conversation conversation,
                        const RequestOptions& options) {
  Request request;
  request.options = options;
  std::map<const void*, uint64_t> in_memory;  // each once, however many parts name it
  const auto open = [&](const std::string& reference) {
    preprocess::MediaContent content =
        options.opener ? options.opener(reference) : media::open_media(reference, options.limits);
    add_bytes(content, in_memory);
    return content;
  };
  request.media =
      preprocess::open_media_set(conversation, runtime.config.preprocess,
                                 {.limits = options.limits, .opener = open, .describe = options.describe});
  for (const auto& [content, bytes] : in_memory) request.content_bytes += bytes;
  request.conversation = std::move(conversation);
  std::vector<preprocess::MediaShape> shapes;
  for (const preprocess::MediaEntry& entry : request.media) shapes.push_back(entry.shape);
  request.plan = preprocess::plan_request(shapes, runtime.config.preprocess, options.max_visual_tokens);
  render(request, runtime);
  runtime.bytes_before_requests(request.content_bytes);  // before the first request's work adds to it
  return request;
}

void shorten(Request& request, const Runtime& runtime, size_t medium, int64_t frames) {
  preprocess::MediaEntry& entry = request.media[medium];
  entry.shape.frames = frames;
  if (!entry.timestamps.empty()) entry.timestamps.resize(static_cast<size_t>(frames));
  if (!entry.source_index.empty()) entry.source_index.resize(static_cast<size_t>(frames));
  preprocess::MediumPlan& plan = request.plan.media[medium];
  const int64_t missing = plan.grid.t - frames;
  request.plan.total_frames -= missing;
  request.plan.total_patches -= missing * plan.grid.h * plan.grid.w;
  request.plan.total_tokens -= missing * plan.tokens_per_frame;
  plan.grid.t = plan.shape.frames = frames;
  render(request, runtime);
}

}  // namespace vl3::engine
