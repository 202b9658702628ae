// Parts of load_model_config(): the files beside config.json, each optional. Internal to weights/.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/json.h"
#include "weights/model_config.h"

namespace vl3::weights {

inline constexpr uint64_t kMaxConfigBytes = 4ull << 20;

/// nullopt where the file does not exist. @throws as read_json_file(), Error(kCorrupt) when it is no object.
std::optional<Json> read_optional_json(const std::filesystem::path& file);

/// A number in (low, high], or `fallback` where the key is absent or null. @throws Error(kCorrupt).
double positive_number(const JsonView& view, const std::string& key, double fallback, double high);

/// Dims of a vision tower (SigLIP's and VideoLLaMA3's keys are the same) and of a Qwen2 decoder.
/// @throws Error(kCorrupt) for wrong types or ranges; Error(kUnsupported) for another activation, rope
/// scaling, ….
VisionConfig load_vision_section(const JsonView& view);
TextConfig load_text_section(const JsonView& view);

/// Limits and sampling of either layout. @param config  the opened config.json.
/// Source: spec "Checkpoints" 1.2, 1.3; transformers `image_processing_base.py` for the nested files of
/// version 5.
PreprocessConfig load_preprocess_config(const std::filesystem::path& dir, Flow layout, const JsonView& config,
                                        const VisionConfig& vision);

/// generation_config.json; without it greedy decoding that stops at the config's own eos_token_id.
/// @param text  the section of config.json that holds the language model's keys.
GenerationDefaults load_generation_defaults(const std::filesystem::path& dir, const JsonView& text,
                                            int64_t vocab_size);

}  // namespace vl3::weights
