// A small checkpoint of the golden set and media to ask it about.
#pragma once

#include <string>

#include "support/golden_tensors.h"
#include "support/temp_dir.h"
#include "vl3/engine.h"

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

}  // namespace vl3::test
