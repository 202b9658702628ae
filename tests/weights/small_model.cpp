#include "weights/small_model.h"

#include "support/temp_dir.h"

namespace vl3::test {
namespace fs = std::filesystem;

weights::ModelConfig small_config(Flow layout, bool tied) {
  weights::ModelConfig config;
  config.layout = layout;
  config.vision = {
      .hidden_size = 16, .intermediate_size = 20, .num_hidden_layers = 1, .num_attention_heads = 2};
  config.vision.patch_size = 14;
  config.text.hidden_size = 12;
  config.text.intermediate_size = 20;
  config.text.num_hidden_layers = 2;
  config.text.num_attention_heads = 3;
  config.text.num_key_value_heads = 1;
  config.text.head_dim = 4;
  config.text.vocab_size = 33;
  config.text.tie_word_embeddings = tied;
  config.preprocess.flow = layout;
  config.image_token_id = 30;
  config.video_token_id = layout == Flow::kNative ? 31 : 30;
  config.generation.eos_token_id = {2, 0};
  return config;
}

Json small_config_json(Flow layout) {
  Json text = {{"hidden_size", 12},           {"intermediate_size", 20},   {"num_hidden_layers", 2},
               {"num_attention_heads", 3},    {"num_key_value_heads", 1},  {"vocab_size", 33},
               {"hidden_act", "silu"},        {"rms_norm_eps", 1e-6},      {"rope_theta", 1e6},
               {"rope_scaling", nullptr},     {"sliding_window", nullptr}, {"use_sliding_window", false},
               {"tie_word_embeddings", false}};
  const Json vision = {{"hidden_size", 16},
                       {"intermediate_size", 20},
                       {"num_hidden_layers", 1},
                       {"num_attention_heads", 2},
                       {"patch_size", 14}};
  if (layout == Flow::kRemote) {
    text.update({{"model_type", "videollama3_qwen2"},
                 {"image_token_index", 30},
                 {"torch_dtype", "bfloat16"},
                 {"use_cache", false},
                 {"vision_encoder", nullptr},
                 {"vision_encoder_config", vision}});
    return text;
  }
  return {{"model_type", "video_llama_3"}, {"dtype", "bfloat16"}, {"image_token_id", 30},
          {"video_token_id", 31},          {"text_config", text}, {"vision_config", vision}};
}

std::string safetensors_bytes(std::string_view header, std::string_view data) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i) & 0xff);
  out += header;
  out += data;
  return out;
}

std::vector<float> widened(const weights::TensorView& view) {
  std::vector<float> out(view.size_bytes / static_cast<uint64_t>(weights::dtype_size(view.dtype)));
  weights::convert_elements(view.data, view.dtype, reinterpret_cast<std::byte*>(out.data()),
                            weights::DType::kF32, out.size());
  return out;
}

std::string bytes_of(const weights::TensorView& view) {
  return std::string(reinterpret_cast<const char*>(view.data), view.size_bytes);
}

std::vector<GoldenModel> golden_models() {
  std::vector<GoldenModel> models;
  std::error_code ignored;
  for (fs::directory_iterator it(golden_dir() / "models", ignored), end; it != end; ++it) {
    GoldenModel model{.name = it->path().filename().string()};
    if (fs::exists(it->path() / "native/config.json")) model.native = it->path() / "native";
    if (fs::exists(it->path() / "remote/config.json")) model.remote = it->path() / "remote";
    if (!model.native.empty() || !model.remote.empty()) models.push_back(model);
  }
  return models;
}

}  // namespace vl3::test
