// A model folder small enough to break by hand, and files put together byte by byte.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "weights/checkpoint.h"
#include "weights/model_config.h"

namespace vl3::test {

/// Dims of a few values each, in memory (no folder). Valid in both layouts.
weights::ModelConfig small_config(Flow layout, bool tied);

/// The same as a config.json of either layout.
Json small_config_json(Flow layout);

/// A .safetensors file's bytes: length, header text as given, data.
std::string safetensors_bytes(std::string_view header, std::string_view data);

/// All bytes of a tensor widened to float32.
std::vector<float> widened(const weights::TensorView& view);

std::string bytes_of(const weights::TensorView& view);

/// Folders models/<model>/<layout> of the golden set; empty where the set holds none.
struct GoldenModel {
  std::string name;
  std::filesystem::path native = {}, remote = {};  ///< empty where the set does not hold it
};
std::vector<GoldenModel> golden_models();

}  // namespace vl3::test
