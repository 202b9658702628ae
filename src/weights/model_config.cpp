#include "weights/model_config.h"

#include <cmath>
#include <system_error>

#include "core/check.h"
#include "core/json.h"
#include "weights/config_files.h"
#include "weights/dtype.h"
#include "weights/quantization_config.h"

namespace vl3::weights {
namespace {

constexpr int64_t kMaxWidth = 1 << 17;  // hidden and intermediate sizes are bounded by 2^20 at most
constexpr int64_t kMaxLayers = 1 << 10;
constexpr int64_t kMaxHeads = 1 << 10;
constexpr int64_t kMaxVocab = 1 << 24;
constexpr int64_t kMaxPositions = 1 << 28;
constexpr int64_t kMaxProjectorDepth = 8;

// What transformers assumes where a token id is not written down (VideoLlama3Config).
constexpr int64_t kDefaultImageTokenId = 151655;
constexpr int64_t kDefaultVideoTokenId = 151656;

Flow layout_of(const JsonView& config) {
  const std::string type = config.string("model_type");
  if (type == "videollama3_qwen2") return Flow::kRemote;
  if (type == "video_llama_3" || type == "videollama3") return Flow::kNative;
  VL3_FAIL(kUnsupported,
           "{}: model_type \"{}\" is not VideoLLaMA3; expected \"videollama3_qwen2\" or \"video_llama_3\"",
           config.where(), type);
}

void expect_string(const JsonView& view, const std::string& key, const std::string& only) {
  const std::string found = view.string_or(key, only);
  VL3_CHECK(found == only, kUnsupported, "{}: {} \"{}\" is not supported, only \"{}\"", view.where(), key,
            found, only);
}

// `rope_theta` of the section, or of its rope_parameters (transformers 5). Anything that scales angles is
// refused.
double rope_theta(const JsonView& view, double fallback, const std::string& plain_type) {
  VL3_CHECK(!view.has("rope_scaling"), kUnsupported, "{}: rope_scaling is not supported, expected null",
            view.where());
  double theta = positive_number(view, "rope_theta", fallback, 1e12);
  if (!view.has("rope_parameters")) return theta;
  const JsonView rope = view.object("rope_parameters");
  for (const char* key : {"rope_type", "type"}) {
    const std::string type = rope.string_or(key, plain_type);
    VL3_CHECK(type == plain_type || type == "default", kUnsupported, "{}: {} \"{}\" is not supported",
              rope.where(), key, type);
  }
  for (const auto& item : rope.json().items()) {
    VL3_CHECK(item.key() == "rope_type" || item.key() == "type" || item.key() == "rope_theta", kUnsupported,
              "{}: \"{}\" is not supported", rope.where(), item.key());
  }
  return positive_number(rope, "rope_theta", theta, 1e12);
}

// An integer, or a list of two equal ones.
int64_t square_side(const JsonView& view, const std::string& key, int64_t fallback) {
  if (view.has(key) && view.at(key).is_array()) {
    const Json& sides = view.at(key);
    VL3_CHECK(sides.size() == 2 && sides[0].is_number_integer() && sides[0] == sides[1], kUnsupported,
              "{}: {} {:.60} is not square", view.where(), key, sides.dump());
    const Json side = {{key, sides[0]}};
    return JsonView(side, view.where()).integer(key, 1, 256);
  }
  return view.integer_or(key, fallback, 1, 256);
}

VisionConfig load_vision(const JsonView& view) {
  VisionConfig vision;
  vision.hidden_size = view.integer_or("hidden_size", vision.hidden_size, 1, kMaxWidth);
  vision.intermediate_size = view.integer_or("intermediate_size", vision.intermediate_size, 1, kMaxWidth * 8);
  vision.num_hidden_layers = view.integer_or("num_hidden_layers", vision.num_hidden_layers, 1, kMaxLayers);
  vision.num_attention_heads =
      view.integer_or("num_attention_heads", vision.num_attention_heads, 1, kMaxHeads);
  vision.num_channels = view.integer_or("num_channels", vision.num_channels, 1, 1024);
  VL3_CHECK(vision.num_channels == 3, kUnsupported, "{}: num_channels {} is not supported, only 3",
            view.where(), vision.num_channels);
  vision.patch_size = square_side(view, "patch_size", vision.patch_size);
  vision.layer_norm_eps = positive_number(view, "layer_norm_eps", vision.layer_norm_eps, 0.1);
  expect_string(view, "hidden_act", vision.hidden_act);
  vision.rope_theta = rope_theta(view, vision.rope_theta, "axial");
  VL3_CHECK(vision.hidden_size % vision.num_attention_heads == 0, kCorrupt,
            "{}: hidden_size {} is not a multiple of num_attention_heads {}", view.where(),
            vision.hidden_size, vision.num_attention_heads);
  const int64_t head_dim = vision.hidden_size / vision.num_attention_heads;
  VL3_CHECK(head_dim % 4 == 0, kCorrupt,
            "{}: {} values a head; the two-dimensional rotary embedding needs a multiple of 4", view.where(),
            head_dim);
  return vision;
}

void check_full_attention(const JsonView& view) {
  VL3_CHECK(!view.boolean_or("use_sliding_window", false), kUnsupported,
            "{}: use_sliding_window true is not supported, expected false", view.where());
  if (!view.has("layer_types")) return;
  const Json& types = view.at("layer_types");
  VL3_CHECK(types.is_array(), kCorrupt, "{}: layer_types is not a list", view.where());
  for (const Json& type : types) {
    VL3_CHECK(type == "full_attention", kUnsupported, "{}: layer_types holds {:.60}, only \"full_attention\"",
              view.where(), type.dump());
  }
}

TextConfig load_text(const JsonView& view) {
  TextConfig text;
  text.hidden_size = view.integer("hidden_size", 1, kMaxWidth);
  text.intermediate_size = view.integer("intermediate_size", 1, kMaxWidth * 8);
  text.num_hidden_layers = view.integer("num_hidden_layers", 1, kMaxLayers);
  text.num_attention_heads = view.integer("num_attention_heads", 1, kMaxHeads);
  text.num_key_value_heads = view.integer_or("num_key_value_heads", text.num_attention_heads, 1, kMaxHeads);
  text.vocab_size = view.integer("vocab_size", 1, kMaxVocab);
  text.max_position_embeddings =
      view.integer_or("max_position_embeddings", text.max_position_embeddings, 1, kMaxPositions);
  text.rms_norm_eps = positive_number(view, "rms_norm_eps", text.rms_norm_eps, 0.1);
  // Qwen2Config leaves out what equals its own default, which is 1e4 and not the 1e6 of the released models.
  text.rope_theta = rope_theta(view, 1e4, "default");
  expect_string(view, "hidden_act", text.hidden_act);
  check_full_attention(view);
  VL3_CHECK(text.num_attention_heads % text.num_key_value_heads == 0, kCorrupt,
            "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}", view.where(),
            text.num_attention_heads, text.num_key_value_heads);
  if (view.has("head_dim")) {
    text.head_dim = view.integer("head_dim", 1, 4096);
  } else {
    VL3_CHECK(text.hidden_size % text.num_attention_heads == 0, kCorrupt,
              "{}: hidden_size {} is not a multiple of num_attention_heads {}", view.where(),
              text.hidden_size, text.num_attention_heads);
    text.head_dim = text.hidden_size / text.num_attention_heads;
  }
  VL3_CHECK(text.head_dim % 2 == 0, kCorrupt, "{}: head_dim {} is odd; the rotary embedding needs pairs",
            view.where(), text.head_dim);
  text.tie_word_embeddings = view.boolean_or("tie_word_embeddings", false);
  return text;
}

// "torch_dtype" (transformers 4) or "dtype" (5), at the top or in the text section.
std::string stored_dtype(const JsonView& config, const JsonView& text) {
  for (const JsonView* view : {&config, &text}) {
    for (const char* key : {"torch_dtype", "dtype"}) {
      std::string name = view->string_or(key, "");
      if (name.starts_with("torch.")) name = name.substr(6);
      if (name.empty() || name == "auto") continue;
      VL3_CHECK(name == "float32" || name == "bfloat16" || name == "float16", kUnsupported,
                "{}: {} \"{}\" is not supported, only float32, bfloat16 and float16", view->where(), key,
                name);
      return name;
    }
  }
  return "";
}

// The text and vision sections of either layout, as views into `config`.
JsonView section(const JsonView& config, const char* key) {
  VL3_CHECK(config.has(key), kCorrupt, "{}: \"{}\" is missing or null", config.where(), key);
  return config.object(key);
}

void load_token_ids(const JsonView& config, ModelConfig* model) {
  const int64_t last = model->text.vocab_size - 1;
  if (model->layout == Flow::kRemote) {
    model->image_token_id = config.integer_or("image_token_index", -1, -1, last);
    model->video_token_id = model->image_token_id;
    return;
  }
  model->image_token_id = config.integer_or("image_token_id", kDefaultImageTokenId, 0, kMaxVocab);
  model->video_token_id = config.integer_or("video_token_id", kDefaultVideoTokenId, 0, kMaxVocab);
  for (const auto& [key, id] : {std::pair{"image_token_id", model->image_token_id},
                                std::pair{"video_token_id", model->video_token_id}}) {
    VL3_CHECK(id <= last, kCorrupt, "{}: \"{}\" is {}, beyond the vocabulary of {} rows", config.where(), key,
              id, model->text.vocab_size);
  }
}

}  // namespace

VisionConfig load_vision_section(const JsonView& view) { return load_vision(view); }

TextConfig load_text_section(const JsonView& view) { return load_text(view); }

int64_t projector_depth(const std::string& mm_projector_type) {
  if (mm_projector_type == "linear") return 1;
  if (mm_projector_type.starts_with("mlp") && mm_projector_type.ends_with("x_gelu")) {
    const std::string digits = mm_projector_type.substr(3, mm_projector_type.size() - 9);
    if (digits.size() == 1 && digits[0] >= '1' && digits[0] <= '0' + kMaxProjectorDepth)
      return digits[0] - '0';
  }
  VL3_FAIL(kUnsupported,
           "mm_projector_type \"{}\" is not supported, only \"linear\" and \"mlp1x_gelu\" … \"mlp{}x_gelu\"",
           mm_projector_type, kMaxProjectorDepth);
}

ModelConfig load_model_config(const std::filesystem::path& dir) {
  const std::filesystem::path file = dir / "config.json";
  std::error_code ignored;
  VL3_CHECK(std::filesystem::is_directory(dir, ignored), kNotFound, "{}: no such model folder", dir.string());
  VL3_CHECK(std::filesystem::exists(file, ignored), kNotFound,
            "{}: no config.json here; is it a model folder?", dir.string());
  const Json json = read_json_file(file, kMaxConfigBytes);
  const JsonView config(json, file.string());

  ModelConfig model;
  model.dir = dir;
  model.layout = layout_of(config);
  const bool remote = model.layout == Flow::kRemote;
  model.quantised = config.has("quantization_config");
  if (model.quantised) check_quantization_config(config.object("quantization_config"));
  const JsonView text = remote ? config : section(config, "text_config");
  const JsonView vision = section(config, remote ? "vision_encoder_config" : "vision_config");
  if (!remote) expect_string(text, "model_type", "qwen2");
  model.text = load_text(text);
  model.text.tie_word_embeddings |= config.boolean_or("tie_word_embeddings", false);
  model.vision = load_vision(vision);
  model.mm_projector_type = config.string_or("mm_projector_type", model.mm_projector_type);
  try {
    projector_depth(model.mm_projector_type);
  } catch (const Error& error) {
    throw error.with_context(config.where());
  }
  model.torch_dtype = stored_dtype(config, text);
  load_token_ids(config, &model);
  model.preprocess = load_preprocess_config(dir, model.layout, config, model.vision);
  model.generation = load_generation_defaults(dir, text, model.text.vocab_size);
  return model;
}

}  // namespace vl3::weights
