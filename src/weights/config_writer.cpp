#include "weights/config_writer.h"

#include "core/check.h"
#include "core/file.h"
#include "weights/hf_names.h"

namespace vl3::weights {
namespace {

constexpr double kVisionRopeTheta = 10000.0;
constexpr const char* kTakenOver[] = {"attention_dropout", "bos_token_id",      "eos_token_id",
                                      "pad_token_id",      "initializer_range", "max_window_layers",
                                      "sliding_window"};

Json text_section(const ModelConfig& config, const Json& source_text) {
  const TextConfig& text = config.text;
  Json out = {{"hidden_act", text.hidden_act},
              {"hidden_size", text.hidden_size},
              {"intermediate_size", text.intermediate_size},
              {"max_position_embeddings", text.max_position_embeddings},
              {"num_attention_heads", text.num_attention_heads},
              {"num_hidden_layers", text.num_hidden_layers},
              {"num_key_value_heads", text.num_key_value_heads},
              {"rms_norm_eps", text.rms_norm_eps},
              {"rope_scaling", nullptr},
              {"rope_theta", text.rope_theta},
              {"sliding_window", nullptr},
              {"tie_word_embeddings", text.tie_word_embeddings},
              // Some released files say false, which would make transformers decode without a cache.
              {"use_cache", true},
              {"use_sliding_window", false},
              {"vocab_size", text.vocab_size}};
  if (text.head_dim != 0 && text.head_dim * text.num_attention_heads != text.hidden_size)
    out["head_dim"] = text.head_dim;
  for (const char* key : kTakenOver) {
    if (const auto it = source_text.find(key); it != source_text.end()) out[key] = *it;
  }
  if (!out.contains("eos_token_id") && !config.generation.eos_token_id.empty()) {
    out["eos_token_id"] = config.generation.eos_token_id.front();
  }
  return out;
}

Json vision_section(const VisionConfig& vision, Flow layout) {
  Json out = {
      {"hidden_act", vision.hidden_act},
      {"hidden_size", vision.hidden_size},
      {"intermediate_size", vision.intermediate_size},
      {"layer_norm_eps", vision.layer_norm_eps},
      {"num_attention_heads", vision.num_attention_heads},
      {"num_channels", vision.num_channels},
      {"num_hidden_layers", vision.num_hidden_layers},
      {"patch_size", vision.patch_size},
      {"model_type", layout == Flow::kRemote ? "videollama3_vision_encoder" : "video_llama_3_vision"}};
  if (vision.rope_theta != kVisionRopeTheta) {
    VL3_CHECK(layout == Flow::kNative, kUnsupported,
              "vision rope_theta {}: the remote layout has no place for it, its code always uses {}",
              vision.rope_theta, kVisionRopeTheta);
    out["rope_parameters"] = {{"rope_type", "axial"}, {"rope_theta", vision.rope_theta}};
  }
  return out;
}

Json common_processor(const PreprocessConfig& preprocess) {
  return {{"do_convert_rgb", true},
          {"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", preprocess.image_mean},
          {"image_std", preprocess.image_std},
          {"patch_size", preprocess.patch_size},
          {"resample", 3},
          {"rescale_factor", preprocess.rescale_factor}};
}

struct TokenLimits {
  int64_t min = 0;
  int64_t max = 0;
};

// Pixels of one merged token of an image or a video.
int64_t token_pixels(const PreprocessConfig& preprocess, bool video) {
  const int64_t side =
      preprocess.patch_size * (video ? preprocess.video_merge_size : preprocess.image_merge_size);
  return side * side;
}

// The remote layout counts tokens, once for both kinds; the native one counts pixels, for each kind.
TokenLimits remote_limits(const PreprocessConfig& preprocess) {
  if (preprocess.flow == Flow::kRemote) return {preprocess.min_tokens, preprocess.max_tokens};
  const int64_t image = token_pixels(preprocess, false), video = token_pixels(preprocess, true);
  VL3_CHECK(preprocess.image_min_pixels % image == 0 && preprocess.image_max_pixels % image == 0 &&
                preprocess.image_min_pixels / image * video == preprocess.video_min_pixels &&
                preprocess.image_max_pixels / image * video == preprocess.video_max_pixels,
            kUnsupported,
            "pixel limits {}..{} (images) and {}..{} (videos): the remote layout needs one pair of whole "
            "token counts "
            "for both, of {} and {} pixels a token; change the preprocessor configs first",
            preprocess.image_min_pixels, preprocess.image_max_pixels, preprocess.video_min_pixels,
            preprocess.video_max_pixels, image, video);
  return {preprocess.image_min_pixels / image, preprocess.image_max_pixels / image};
}

TokenLimits native_limits(const PreprocessConfig& preprocess, bool video) {
  if (preprocess.flow == Flow::kNative) {
    return video ? TokenLimits{preprocess.video_min_pixels, preprocess.video_max_pixels}
                 : TokenLimits{preprocess.image_min_pixels, preprocess.image_max_pixels};
  }
  const int64_t pixels = token_pixels(preprocess, video);
  return {preprocess.min_tokens * pixels, preprocess.max_tokens * pixels};
}

void write_remote(const PreprocessConfig& preprocess, const std::filesystem::path& folder) {
  const Json auto_processor = "processing_videollama3.Videollama3Qwen2Processor";
  const TokenLimits limits = remote_limits(preprocess);
  Json image = common_processor(preprocess);
  image.update({{"auto_map",
                 {{"AutoImageProcessor", "image_processing_videollama3.Videollama3ImageProcessor"},
                  {"AutoProcessor", auto_processor}}},
                {"image_processor_type", "Videollama3ImageProcessor"},
                {"max_tokens", limits.max},
                {"min_tokens", limits.min},
                {"processor_class", "Videollama3Qwen2Processor"}});
  write_json_file(folder / "preprocessor_config.json", image);
  write_json_file(folder / "processor_config.json", {{"auto_map", {{"AutoProcessor", auto_processor}}},
                                                     {"fps", preprocess.fps},
                                                     {"image_merge_size", preprocess.image_merge_size},
                                                     {"max_frames", preprocess.max_frames},
                                                     {"processor_class", "Videollama3Qwen2Processor"},
                                                     {"video_merge_size", preprocess.video_merge_size}});
}

void write_native(const PreprocessConfig& preprocess, const std::filesystem::path& folder) {
  Json common = common_processor(preprocess);
  common.update({{"processor_class", "VideoLlama3Processor"}, {"temporal_patch_size", 1}});
  Json image = common;
  TokenLimits limits = native_limits(preprocess, false);
  image.update({{"image_processor_type", "VideoLlama3ImageProcessor"},
                {"max_pixels", limits.max},
                {"merge_size", preprocess.image_merge_size},
                {"min_pixels", limits.min}});
  write_json_file(folder / "preprocessor_config.json", image);
  Json video = common;
  limits = native_limits(preprocess, true);
  video.update({{"do_sample_frames", false},
                {"max_frames", preprocess.max_frames},
                {"max_pixels", limits.max},
                {"merge_size", preprocess.video_merge_size},
                {"min_frames", preprocess.min_frames},
                {"min_pixels", limits.min},
                {"use_token_compression", preprocess.use_token_compression},
                {"video_processor_type", "VideoLlama3VideoProcessor"}});
  if (preprocess.fps != 1.0) video["fps"] = preprocess.fps;
  write_json_file(folder / "video_preprocessor_config.json", video);
}

}  // namespace

Json make_config(const ModelConfig& config, Flow layout, DType dtype, const Json& source_text) {
  Json text = text_section(config, source_text);
  if (layout == Flow::kNative) {
    VL3_CHECK(projector_depth(config.mm_projector_type) == 2, kUnsupported,
              "mm_projector_type \"{}\": the native layout has only \"mlp2x_gelu\"",
              config.mm_projector_type);
    text["model_type"] = "qwen2";
    return {{"architectures", {"VideoLlama3ForConditionalGeneration"}},
            {"dtype", torch_dtype_name(dtype)},
            {"image_token_id", config.image_token_id},
            {"model_type", "video_llama_3"},
            {"text_config", text},
            {"tie_word_embeddings", config.text.tie_word_embeddings},
            {"video_token_id", config.video_token_id},
            {"vision_config", vision_section(config.vision, layout)}};
  }
  text.update(
      {{"architectures", {"Videollama3Qwen2ForCausalLM"}},
       {"auto_map",
        {{"AutoConfig", "configuration_videollama3.Videollama3Qwen2Config"},
         {"AutoModelForCausalLM", "modeling_videollama3.Videollama3Qwen2ForCausalLM"}}},
       {"image_token_index", config.image_token_id},
       // Tensors are written under the MLP's names; a single linear is an MLP of one layer.
       {"mm_projector_type", config.mm_projector_type == "linear" ? "mlp1x_gelu" : config.mm_projector_type},
       {"model_type", "videollama3_qwen2"},
       {"torch_dtype", torch_dtype_name(dtype)},
       {"transformers_version", "4.46.3"},
       {"use_token_compression", config.preprocess.use_token_compression},
       {"vision_encoder", nullptr},
       {"vision_encoder_config", vision_section(config.vision, layout)}});
  return text;
}

void write_processor_configs(const PreprocessConfig& preprocess, Flow layout,
                             const std::filesystem::path& folder) {
  layout == Flow::kRemote ? write_remote(preprocess, folder) : write_native(preprocess, folder);
}

void write_json_file(const std::filesystem::path& path, const Json& json) {
  write_file_atomically(path, json.dump(2) + "\n");
}

}  // namespace vl3::weights
