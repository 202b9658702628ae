// What a checkpoint folder says about its model: dims, flow, special tokens, preprocessing limits, generation
// defaults. Plain data; fields carry the checkpoint's own keys. Read by load_model_config() from either
// layout.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/flow.h"

namespace vl3::weights {

/// Vision tower (SigLIP shape). Keys of `vision_config` / `vision_encoder_config`; defaults are the reference
/// classes'.
struct VisionConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t num_channels = 3;
  int64_t patch_size = 16;
  double layer_norm_eps = 1e-6;
  std::string hidden_act = "gelu_pytorch_tanh";
  double rope_theta = 10000.0;
};

/// Qwen2 decoder. Keys of `text_config` (native) or the top level (remote).
struct TextConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;  ///< hidden_size / num_attention_heads unless the file says otherwise
  int64_t vocab_size = 0;
  int64_t max_position_embeddings = 32768;
  double rms_norm_eps = 1e-6;
  double rope_theta = 1e6;
  std::string hidden_act = "silu";
  bool tie_word_embeddings = false;
};

/// Both flows' limits. Tokens are merged visual tokens; pixels are height*width after resizing.
struct PreprocessConfig {
  Flow flow = Flow::kRemote;
  int64_t patch_size = 14;
  int64_t image_merge_size = 1;
  int64_t video_merge_size = 2;
  int64_t min_tokens = 16;              ///< remote
  int64_t max_tokens = 16384;           ///< remote, shared by all media of a request
  int64_t image_min_pixels = 3136;      ///< native
  int64_t image_max_pixels = 3211264;   ///< native
  int64_t video_min_pixels = 12544;     ///< native
  int64_t video_max_pixels = 12845056;  ///< native, divided by the number of frames
  double fps = 1.0;                     ///< sampling rate of a video file
  int64_t max_frames = 180;  ///< cap of sampled frames a video; remote without processor_config.json: 128
  int64_t min_frames = 4;    ///< native: least frames sampled by rate
  std::vector<double> image_mean = {0.5, 0.5, 0.5};
  std::vector<double> image_std = {0.5, 0.5, 0.5};
  double rescale_factor = 0.00392156862745098;
  bool use_token_compression = true;
};

/// generation_config.json; temperature 0 (or do_sample false) means greedy.
struct GenerationDefaults {
  bool do_sample = false;
  double temperature = 1.0;
  double top_p = 1.0;
  int64_t top_k = 0;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  std::vector<int64_t> eos_token_id;
};

struct ModelConfig {
  std::filesystem::path dir;
  Flow layout = Flow::kRemote;  ///< of the files on disk
  VisionConfig vision;
  TextConfig text;
  PreprocessConfig preprocess;  ///< preprocess.flow may be overridden (`--flow`); starts equal to layout
  GenerationDefaults generation;
  std::string mm_projector_type = "mlp2x_gelu";
  bool quantised = false;       ///< some weights are whole numbers with scales (weights/quantised_view.h)
  std::string torch_dtype;      ///< "float32", "bfloat16", "float16"; of the checkpoint, "" when unsaid
  int64_t image_token_id = -1;  ///< remote: `image_token_index` (<image>); native: <|image_pad|>
  int64_t video_token_id = -1;  ///< native: <|video_pad|>; remote: equals image_token_id
};

/// Number of linears of an "mlpNx_gelu" projector; 1 for "linear". @throws Error(kUnsupported) for anything
/// else.
int64_t projector_depth(const std::string& mm_projector_type);

/// Reads config.json, (video_)preprocessor_config.json, processor_config.json and generation_config.json of a
/// folder.
/// @throws Error(kNotFound) without config.json; Error(kCorrupt) for wrong types or ranges;
/// Error(kUnsupported) for another architecture, activation, rope scaling or sliding window. Source: spec
/// "Checkpoints" 1.2 and 1.3.
ModelConfig load_model_config(const std::filesystem::path& dir);

}  // namespace vl3::weights
