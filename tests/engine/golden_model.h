// A small checkpoint of the golden set and media to ask it about.
#pragma once

#include <string>

#include "core/file.h"
#include "core/json.h"
#include "support/golden_tensors.h"
#include "support/temp_dir.h"
#include "vl3/engine.h"
#include "weights/random_init.h"

namespace vl3::test {

inline Engine load_tiny(const std::string& dtype = "float32") {
  return Engine::load({.model = golden_models("config.json").front().string(), .dtype = dtype});
}

inline std::string golden_media(const std::string& name) { return (golden_dir() / "media" / name).string(); }

inline AskOptions greedy(int64_t max_tokens = 8) {
  AskOptions options;
  options.generation.temperature = 0.0;
  options.generation.max_tokens = max_tokens;
  options.generation.ignore_eos = true;
  return options;
}

// The golden model with a vision tower so wide that frames outweigh the process itself, and with the released
// models' limits: under the golden ones many frames share the pixels of a few, whatever their number.
inline std::filesystem::path wide_model(const TempDir& dir, weights::DType dtype = weights::DType::kF32) {
  const std::filesystem::path source = golden_models("config.json").front(), bent = dir / "config";
  std::filesystem::copy(source, bent);
  Json config = read_json_file(bent / "config.json");
  Json& vision = config[config.contains("vision_config") ? "vision_config" : "vision_encoder_config"];
  vision["hidden_size"] = 1024;
  vision["intermediate_size"] = 1024;
  vision["num_hidden_layers"] = 1;
  write_file_atomically(bent / "config.json", config.dump());
  const bool native = std::filesystem::exists(bent / "video_preprocessor_config.json");
  const std::filesystem::path limits =
      bent / (native ? "video_preprocessor_config.json" : "preprocessor_config.json");
  Json preprocess = read_json_file(limits);
  preprocess[native ? "max_pixels" : "max_tokens"] = native ? 12845056 : 16384;
  write_file_atomically(limits, preprocess.dump());
  weights::write_random_checkpoint(bent, dir / "model", {.seed = 1, .dtype = dtype});
  return dir / "model";
}

}  // namespace vl3::test
