#include "data/sample_builder.h"

#include <algorithm>
#include <filesystem>
#include <new>

#include "core/check.h"
#include "preprocess/compression_mask.h"
#include "preprocess/patchify.h"

namespace vl3::data {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 26;

bool is_elsewhere(const std::string& reference) {
  return reference.starts_with('/') || reference.starts_with("data:") ||
         reference.find("://") != reference.npos;
}

/// A reference with the record's media folder in front of it.
std::string below_root(const std::string& reference, const std::filesystem::path& root) {
  return is_elsewhere(reference) ? reference : (root / reference).string();
}

std::string names_of(const RecordContent& content) {
  std::vector<std::string_view> names;
  for (const auto& [name, medium] : content.media) names.push_back(name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

preprocess::PruneOptions prune_options(const DataConfig& data) {
  preprocess::PruneOptions prune;
  prune.enabled = data.use_token_compression;
  prune.threshold = data.prune_threshold;
  return prune;
}

}  // namespace

struct SampleBuilder::Opened {
  text::Conversation conversation;
  std::vector<preprocess::MediaEntry> media;  ///< in prompt order
  preprocess::VisualPlan plan;
  std::vector<int64_t> tokens_per_place;  ///< of each image and frame, in prompt order
};

SampleBuilder::SampleBuilder(const weights::ModelConfig& model,
                             std::shared_ptr<const text::Tokenizer> tokenizer, const DataConfig& data,
                             const media::MediaLimits& limits)
    : preprocess_(model.preprocess), tokenizer_(std::move(tokenizer)), data_(data), limits_(limits) {
  VL3_DCHECK(tokenizer_ != nullptr);
  const auto check_range = [](const char* key, int64_t value, int64_t most) {
    VL3_CHECK(value >= 1 && value <= most, kInvalidArgument, "data.{} is {}; it must be 1..{}", key, value,
              most);
  };
  check_range("image_merge_size", data.image_merge_size, 16);
  check_range("video_merge_size", data.video_merge_size, 16);
  check_range("max_frames", data.max_frames, text::kMaxVideoFrames);
  check_range("mm_max_length", data.mm_max_length, kMaxTokens);
  check_range("model_max_length", data.model_max_length, kMaxTokens);
  VL3_CHECK(data.fps > 0 && data.fps <= 1000, kInvalidArgument,
            "data.fps is {}; it must be above 0, at most 1000", data.fps);
  VL3_CHECK(data.sample_timeout_s > 0, kInvalidArgument, "data.sample_timeout_s is {}; it must be above 0",
            data.sample_timeout_s);
  VL3_CHECK(data.over_length == "skip" || data.over_length == "cut", kInvalidArgument,
            "data.over_length is \"{}\"; it must be \"skip\" or \"cut\"", data.over_length);
  VL3_CHECK(data.stream_rule == "next_message" || data.stream_rule == "stream_end", kInvalidArgument,
            "data.stream_rule is \"{}\"; it must be \"next_message\" or \"stream_end\"", data.stream_rule);
  cut_ = data.over_length == "cut";
  preprocess_.image_merge_size = data.image_merge_size;
  preprocess_.video_merge_size = data.video_merge_size;
  preprocess_.max_tokens = data.mm_max_length;
  preprocess_.fps = data.fps;
  preprocess_.max_frames = data.max_frames;
  preprocess_.use_token_compression = data.use_token_compression;
  labels_.flow = preprocess_.flow;
  labels_.stream_rule = data.stream_rule == "stream_end" ? StreamRule::kStreamEnd : StreamRule::kNextMessage;
  labels_.stream_newline = data.stream_newline;
  labels_.image_token_id = model.image_token_id;
  labels_.video_token_id = model.video_token_id;
  limits_.timeout_s = std::min(limits_.timeout_s, data.sample_timeout_s);
}

preprocess::MediaSetOptions SampleBuilder::media_options(const RecordContent& content) const {
  preprocess::MediaSetOptions options;
  options.limits = limits_;
  options.keys = false;
  options.decoder_threads = 1;  // samples are decoded beside each other
  options.opener = [this, &content](const std::string& reference) -> preprocess::MediaContent {
    if (const auto found = content.media.find(reference); found != content.media.end()) return found->second;
    VL3_SAMPLE_CHECK(!content.carried_only, kMissingFile, "{} is no member of the sample; it has {}",
                     reference, names_of(content));
    VL3_SAMPLE_CHECK(reference != "-", kSchema, "media of a training sample cannot come from standard input");
    return media::open_media(below_root(reference, content.media_root), limits_);
  };
  return options;
}

ParsedRecord SampleBuilder::parse(const RecordContent& content, std::string* id) const {
  Json json;
  try {
    json = parse_json(content.json, "the annotation");
  } catch (const Error& error) {
    if (id != nullptr) *id = id_of_broken(content.json);
    throw BadSample(BadKind::kJson, error.what());
  }
  VL3_SAMPLE_CHECK(json.is_object(), kJson, "the annotation is no JSON object");
  if (id != nullptr) *id = record_id(json);
  return parse_record(json, content.format, [&](const std::string& reference) -> std::vector<std::string> {
    const bool carried = content.carried_only || content.media.contains(reference);
    const bool url = is_elsewhere(reference) && !reference.starts_with('/');
    if (carried || url) return {reference};
    const std::filesystem::path path = below_root(reference, content.media_root);
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) return {reference};
    std::vector<std::string> pictures;
    for (const auto& picture : media::list_frames(path, limits_)) {
      pictures.push_back(std::filesystem::absolute(picture).string());
    }
    return pictures;
  });
}

void SampleBuilder::open_stream(const ParsedRecord& record, const preprocess::MediaSetOptions& options,
                                Opened* out) const {
  text::ContentPart video = text::video_part(record.stream_video);
  video.start = record.start_s;
  video.end = record.end_s;
  text::Conversation opening{user_message({video})};
  out->media = preprocess::open_media_set(opening, preprocess_, options);
  preprocess::MediaEntry& entry = out->media.front();
  size_t shown = 0;
  for (const StreamTurn& turn : record.turns) {
    for (; shown < entry.timestamps.size() && entry.timestamps[shown] <= turn.time_s; ++shown) {
      text::Message frame;
      frame.role = text::Role::kStream;
      frame.parts.push_back(text::image_part(record.stream_video));
      frame.parts[0].timestamp = entry.timestamps[shown] - record.start_s;
      out->conversation.push_back(std::move(frame));
    }
    text::Message said;
    said.role = turn.role;
    said.content_was_string = true;
    said.parts.push_back(text::text_part(turn.content));
    out->conversation.push_back(std::move(said));
  }
  VL3_SAMPLE_CHECK(shown > 0, kSchema, "no frame of {} comes before a message; check the times", entry.name);
  entry.timestamps.resize(shown);
  entry.shape.frames = static_cast<int64_t>(shown);
}

SampleBuilder::Opened SampleBuilder::open(ParsedRecord record, const RecordContent& content) const {
  const preprocess::MediaSetOptions options = media_options(content);
  Opened out;
  if (record.stream) {
    open_stream(record, options, &out);
  } else {
    out.media = preprocess::open_media_set(record.conversation, preprocess_, options);
    out.conversation = std::move(record.conversation);
  }

  std::vector<preprocess::MediaShape> shapes;
  for (const preprocess::MediaEntry& entry : out.media) shapes.push_back(entry.shape);
  // The official flow has no joint limit beyond its own rule, which min_tokens may pass.
  out.plan = preprocess_.flow == Flow::kRemote
                 ? preprocess::plan_request(shapes, preprocess_)
                 : preprocess::plan_request(shapes, preprocess_, data_.mm_max_length);
  for (size_t i = 0; i < out.media.size(); ++i) {
    const preprocess::MediaEntry& entry = out.media[i];
    const preprocess::MediumPlan& plan = out.plan.media[i];
    out.tokens_per_place.insert(out.tokens_per_place.end(), static_cast<size_t>(plan.grid.t),
                                plan.tokens_per_frame);
    if (record.stream) continue;
    text::ContentPart& part = out.conversation[entry.message].parts[entry.part];
    if (part.kind != text::PartKind::kVideo) continue;
    part.timestamps = entry.timestamps;
    part.numpy_times = entry.numpy_times;
    part.num_frames = entry.shape.frames;
  }
  VL3_CHECK(out.media.empty() || (labels_.image_token_id >= 0 && labels_.video_token_id >= 0),
            kInvalidArgument,
            "the model's config.json names no image token, so it can be trained on text only");
  return out;
}

void SampleBuilder::check_length(const LabelledDialogue& dialogue, const Opened& opened) const {
  if (cut_) return;
  auto tokens = static_cast<int64_t>(dialogue.input_ids.size());
  const int64_t before = tokens;
  // What pruning leaves at least, so that nothing is decoded in vain.
  for (const preprocess::MediumPlan& plan : opened.plan.media) {
    if (data_.use_token_compression) tokens -= (plan.grid.t - 1) * (plan.tokens_per_frame - 1);
  }
  VL3_SAMPLE_CHECK(
      tokens <= data_.model_max_length, kOverLength,
      "{} tokens, model_max_length is {}; shorten it, or cut such samples (data.over_length = \"cut\")",
      before, data_.model_max_length);
}

std::vector<VisualMedium> SampleBuilder::decode(const Opened& opened,
                                                const std::atomic<bool>* cancelled) const {
  std::vector<VisualMedium> media;
  for (size_t i = 0; i < opened.media.size(); ++i) {
    const preprocess::MediaEntry& entry = opened.media[i];
    const preprocess::MediumPlan& plan = opened.plan.media[i];
    VL3_SAMPLE_CHECK(!entry.damaged, kDecode, "{}: broken or cut off, its file ends at an error; replace it",
                     entry.name);
    preprocess::PatchBatch batch =
        preprocess::make_patch_batch(plan.size, preprocess_.patch_size, plan.merge);
    batch.patches_u8.reserve(static_cast<size_t>(plan.patches() * batch.row_bytes()));
    const media::FrameSource source = entry.open();
    for (int64_t t = 0; t < plan.grid.t; ++t) {
      VL3_CHECK(cancelled == nullptr || !*cancelled, kCancelled, "building the sample was cancelled");
      const std::optional<media::Frame> frame = source();
      VL3_SAMPLE_CHECK(frame.has_value(), kDecode,
                       "{}: broken or cut off, {} of {} frames could be read; replace it", entry.name, t,
                       plan.grid.t);
      preprocess::append_frame(batch, frame->rgb, {frame->height, frame->width});
    }
    VisualMedium& medium = media.emplace_back();
    medium.kind = plan.shape.kind;
    medium.grid = plan.grid;
    medium.merge = plan.merge;
    medium.keep = preprocess::compression_mask(batch, preprocess_, prune_options(data_));
    medium.patches_u8 = std::move(batch.patches_u8);
  }
  return media;
}

void SampleBuilder::take_kept(const LabelledDialogue& dialogue, Sample* sample) const {
  const auto tokens = static_cast<int64_t>(dialogue.input_ids.size());
  sample->tokens_before_cut = tokens;
  const int64_t end = cut_ ? std::min(tokens, data_.model_max_length) : tokens;
  size_t medium = 0, token_of_medium = 0;
  for (int64_t i = 0; i < end; ++i) {
    const int64_t token = dialogue.input_ids[static_cast<size_t>(i)];
    const bool visual = token == labels_.image_token_id || token == labels_.video_token_id;
    if (visual) {
      while (token_of_medium == sample->media[medium].keep.size()) {
        ++medium;
        token_of_medium = 0;
      }
      if (sample->media[medium].keep[token_of_medium++] == 0) continue;
      sample->visual_positions.push_back(static_cast<int64_t>(sample->input_ids.size()));
    }
    sample->input_ids.push_back(token);
    sample->labels.push_back(dialogue.labels[static_cast<size_t>(i)]);
  }
  // Visual tokens beyond the cut.
  for (; medium < sample->media.size(); ++medium, token_of_medium = 0) {
    std::vector<uint8_t>& keep = sample->media[medium].keep;
    std::fill(keep.begin() + static_cast<std::ptrdiff_t>(token_of_medium), keep.end(), uint8_t{0});
  }
}

Sample SampleBuilder::build_checked(const Record& record, const std::atomic<bool>* cancelled,
                                    std::string* id) const {
  const RecordContent content = record.load();
  ParsedRecord parsed = parse(content, id);
  const Opened opened = open(std::move(parsed), content);
  LabelledDialogue dialogue =
      label_dialogue(opened.conversation, opened.tokens_per_place, *tokenizer_, labels_);
  check_length(dialogue, opened);
  if (data_.balance_stream_labels) balance_decisions(dialogue, record.seed);

  Sample sample;
  sample.answer_kinds = content.answer_kinds;
  sample.media = decode(opened, cancelled);
  take_kept(dialogue, &sample);
  VL3_SAMPLE_CHECK(
      cut_ || static_cast<int64_t>(sample.input_ids.size()) <= data_.model_max_length, kOverLength,
      "{} tokens after pruning ({} before), model_max_length is {}; shorten it, or cut such samples "
      "(data.over_length = \"cut\")",
      sample.input_ids.size(), sample.tokens_before_cut, data_.model_max_length);
  sample.labels.front() = kIgnoreIndex;
  sample.labelled_tokens =
      static_cast<int64_t>(sample.labels.size()) - std::ranges::count(sample.labels, kIgnoreIndex);
  return sample;
}

Sample SampleBuilder::build(const Record& record, const std::atomic<bool>* cancelled) const {
  const std::string where = record.origin.where();
  std::string id;
  const auto placed = [&](const BadSample& bad) {
    const std::string name = id.empty() ? where : fmt::format("{} ({})", where, id);
    return BadSample(bad.kind(), name + ": " + bad.what(), id);
  };
  try {
    Sample sample = build_checked(record, cancelled, &id);
    sample.id = id.empty() ? where : id;
    return sample;
  } catch (const std::filesystem::filesystem_error& error) {
    throw placed({BadKind::kMissingFile, error.what()});
  } catch (const Json::exception& error) {
    throw placed({BadKind::kSchema, error.what()});
  } catch (const std::bad_alloc&) {
    throw placed({BadKind::kLimit, "there is no memory for it"});
  } catch (const Error& error) {
    throw placed(as_bad_sample(error));
  }
}

}  // namespace vl3::data
