#include "weights/config_files.h"

#include <cmath>

#include "core/check.h"

namespace vl3::weights {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 40;
constexpr int64_t kMaxTokens = int64_t{1} << 30;
constexpr int64_t kMaxFrames = 1'000'000;
constexpr int64_t kMaxMerge = 16;

// Class defaults of the native processors, which hold where their file exists and names no limit.
constexpr int64_t kClassImageMinPixels = 56 * 56;
constexpr int64_t kClassImageMaxPixels = 28 * 28 * 1280;
constexpr int64_t kClassVideoMinPixels = 128 * 28 * 28;
constexpr int64_t kClassVideoMaxPixels = 28 * 28 * 768;

// Three numbers, one a channel.
std::vector<double> per_channel(const JsonView& view, const std::string& key,
                                const std::vector<double>& fallback, bool positive) {
  if (!view.has(key)) return fallback;
  const Json& list = view.at(key);
  VL3_CHECK(list.is_array() && list.size() == 3, kCorrupt,
            "{}: \"{}\" must be a list of 3 numbers, found {:.60}", view.where(), key, list.dump());
  std::vector<double> values;
  for (const Json& item : list) {
    VL3_CHECK(
        item.is_number() && std::abs(item.get<double>()) <= 1e6 && (!positive || item.get<double>() > 0),
        kCorrupt, "{}: \"{}\" holds {:.60}, expected {}", view.where(), key, item.dump(),
        positive ? "a positive number" : "a number");
    values.push_back(item.get<double>());
  }
  return values;
}

// What both layouts' image and video processors share.
void load_common(const JsonView& view, const VisionConfig& vision, PreprocessConfig* out) {
  for (const char* key : {"do_resize", "do_rescale", "do_normalize", "do_convert_rgb"}) {
    VL3_CHECK(view.boolean_or(key, true), kUnsupported, "{}: \"{}\" false is not supported", view.where(),
              key);
  }
  const int64_t resample = view.integer_or("resample", 3, 0, 100);
  VL3_CHECK(resample == 3, kUnsupported, "{}: resample {} is not supported, only 3 (bicubic)", view.where(),
            resample);
  const int64_t temporal = view.integer_or("temporal_patch_size", 1, 1, 1024);
  VL3_CHECK(temporal == 1, kUnsupported, "{}: temporal_patch_size {} is not supported, only 1", view.where(),
            temporal);
  const int64_t patch = view.integer_or("patch_size", vision.patch_size, 1, 256);
  VL3_CHECK(patch == vision.patch_size, kCorrupt, "{}: patch_size {} differs from the vision tower's {}",
            view.where(), patch, vision.patch_size);
  out->patch_size = patch;
  out->rescale_factor = positive_number(view, "rescale_factor", out->rescale_factor, 1e6);
  out->image_mean = per_channel(view, "image_mean", out->image_mean, false);
  out->image_std = per_channel(view, "image_std", out->image_std, true);
}

// min_pixels/max_pixels, or size {shortest_edge, longest_edge} of newer files; the former win, as in
// transformers.
void load_pixel_limits(const JsonView& view, int64_t* min_pixels, int64_t* max_pixels) {
  if (view.has("size")) {
    const JsonView size = view.object("size");
    *min_pixels = size.integer_or("shortest_edge", *min_pixels, 1, kMaxPixels);
    *max_pixels = size.integer_or("longest_edge", *max_pixels, 1, kMaxPixels);
  }
  *min_pixels = view.integer_or("min_pixels", *min_pixels, 1, kMaxPixels);
  *max_pixels = view.integer_or("max_pixels", *max_pixels, 1, kMaxPixels);
  VL3_CHECK(*min_pixels <= *max_pixels, kCorrupt, "{}: at least {} pixels but at most {}", view.where(),
            *min_pixels, *max_pixels);
}

// A processor's settings: nested in processor_config.json (transformers 5), else in its own file.
std::optional<Json> native_processor(const std::filesystem::path& dir, const std::optional<Json>& processor,
                                     const char* nested, const char* own_file, std::string* where) {
  if (processor.has_value() && JsonView(*processor, "").has(nested)) {
    *where = (dir / "processor_config.json").string() + ": " + nested;
    return processor->at(nested);
  }
  *where = (dir / own_file).string();
  return read_optional_json(dir / own_file);
}

PreprocessConfig load_native(const std::filesystem::path& dir, const VisionConfig& vision) {
  PreprocessConfig out;
  out.patch_size = vision.patch_size;
  const std::optional<Json> processor = read_optional_json(dir / "processor_config.json");
  std::string where;
  if (const auto json =
          native_processor(dir, processor, "image_processor", "preprocessor_config.json", &where)) {
    const JsonView view(*json, where);
    load_common(view, vision, &out);
    out.image_merge_size = view.integer_or("merge_size", 1, 1, kMaxMerge);
    out.image_min_pixels = kClassImageMinPixels;
    out.image_max_pixels = kClassImageMaxPixels;
    load_pixel_limits(view, &out.image_min_pixels, &out.image_max_pixels);
  }
  if (const auto json =
          native_processor(dir, processor, "video_processor", "video_preprocessor_config.json", &where)) {
    const JsonView view(*json, where);
    PreprocessConfig video = out;
    load_common(view, vision, &video);
    VL3_CHECK(video.image_mean == out.image_mean && video.image_std == out.image_std &&
                  video.rescale_factor == out.rescale_factor,
              kUnsupported, "{}: normalises videos unlike images, which is not supported", where);
    out.video_merge_size = view.integer_or("merge_size", 2, 1, kMaxMerge);
    out.video_min_pixels = kClassVideoMinPixels;
    out.video_max_pixels = kClassVideoMaxPixels;
    load_pixel_limits(view, &out.video_min_pixels, &out.video_max_pixels);
    out.max_frames = view.integer_or("max_frames", out.max_frames, 1, kMaxFrames);
    out.min_frames = view.integer_or("min_frames", out.min_frames, 1, kMaxFrames);
    out.fps = positive_number(view, "fps", out.fps, 1000);
    out.use_token_compression = view.boolean_or("use_token_compression", true);
  }
  return out;
}

PreprocessConfig load_remote(const std::filesystem::path& dir, const JsonView& config,
                             const VisionConfig& vision) {
  PreprocessConfig out;
  out.patch_size = vision.patch_size;
  out.max_frames = 128;
  if (const auto json = read_optional_json(dir / "preprocessor_config.json")) {
    const JsonView view(*json, (dir / "preprocessor_config.json").string());
    load_common(view, vision, &out);
    out.min_tokens = view.integer_or("min_tokens", out.min_tokens, 1, kMaxTokens);
    out.max_tokens = view.integer_or("max_tokens", out.max_tokens, 1, kMaxTokens);
    VL3_CHECK(out.min_tokens <= out.max_tokens, kCorrupt, "{}: min_tokens {} is more than max_tokens {}",
              view.where(), out.min_tokens, out.max_tokens);
  }
  if (const auto json = read_optional_json(dir / "processor_config.json")) {
    const JsonView view(*json, (dir / "processor_config.json").string());
    out.fps = positive_number(view, "fps", out.fps, 1000);
    out.max_frames = view.integer_or("max_frames", out.max_frames, 1, kMaxFrames);
    out.image_merge_size = view.integer_or("image_merge_size", out.image_merge_size, 1, kMaxMerge);
    out.video_merge_size = view.integer_or("video_merge_size", out.video_merge_size, 1, kMaxMerge);
  }
  out.use_token_compression = config.boolean_or("use_token_compression", true);
  return out;
}

// One id or a list of them.
std::vector<int64_t> token_ids(const JsonView& view, const std::string& key, int64_t vocab_size) {
  if (!view.has(key)) return {};
  const Json& value = view.at(key);
  const Json list = value.is_array() ? value : Json::array({value});
  VL3_CHECK(list.size() <= 64, kCorrupt, "{}: \"{}\" lists {} ids, at most 64", view.where(), key,
            list.size());
  std::vector<int64_t> ids;
  for (const Json& item : list) {
    const Json one = {{key, item}};
    ids.push_back(JsonView(one, view.where()).integer(key, 0, vocab_size - 1));
  }
  return ids;
}

}  // namespace

std::optional<Json> read_optional_json(const std::filesystem::path& file) {
  std::error_code ignored;
  // A dangling link is no absent file: reading it reports what is wrong.
  if (std::filesystem::symlink_status(file, ignored).type() == std::filesystem::file_type::not_found) {
    return std::nullopt;
  }
  Json json = read_json_file(file, kMaxConfigBytes);
  JsonView check(json, file.string());
  return json;
}

double positive_number(const JsonView& view, const std::string& key, double fallback, double high) {
  const double value = view.number_or(key, fallback);
  VL3_CHECK(value > 0 && value <= high, kCorrupt,
            "{}: \"{}\" is {}, expected a number above 0 and at most {}", view.where(), key, value, high);
  return value;
}

PreprocessConfig load_preprocess_config(const std::filesystem::path& dir, Flow layout, const JsonView& config,
                                        const VisionConfig& vision) {
  PreprocessConfig out =
      layout == Flow::kRemote ? load_remote(dir, config, vision) : load_native(dir, vision);
  out.flow = layout;
  return out;
}

GenerationDefaults load_generation_defaults(const std::filesystem::path& dir, const JsonView& text,
                                            int64_t vocab_size) {
  GenerationDefaults out;
  if (const auto json = read_optional_json(dir / "generation_config.json")) {
    const JsonView view(*json, (dir / "generation_config.json").string());
    const auto number = [&view](const char* key, double fallback, double low, double high) {
      const double value = view.number_or(key, fallback);
      VL3_CHECK(value >= low && value <= high, kCorrupt, "{}: \"{}\" is {}, outside {}..{}", view.where(),
                key, value, low, high);
      return value;
    };
    out.do_sample = view.boolean_or("do_sample", false);
    out.temperature = number("temperature", 1.0, 0.0, 100.0);
    out.top_p = number("top_p", 1.0, 0.0, 1.0);
    out.top_k = view.integer_or("top_k", 50, 0, INT32_MAX);  // 50: what transformers fills in
    out.min_p = number("min_p", 0.0, 0.0, 1.0);
    out.repetition_penalty = positive_number(view, "repetition_penalty", 1.0, 100.0);
    out.eos_token_id = token_ids(view, "eos_token_id", vocab_size);
  }
  if (out.eos_token_id.empty()) out.eos_token_id = token_ids(text, "eos_token_id", vocab_size);
  return out;
}

}  // namespace vl3::weights
