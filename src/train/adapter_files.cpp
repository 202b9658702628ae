// PEFT's files: adapter_config.json and adapter_model.safetensors.
#include <ATen/ops/from_blob.h>

#include <set>

#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "train/lora.h"
#include "weights/hf_names.h"
#include "weights/safetensors.h"
#include "weights/safetensors_writer.h"

namespace vl3::train {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";

// Switches of PEFT that change what an adapter computes, with the value that means "off".
void refuse_variants(const Json& config, const std::string& where) {
  for (const char* key : {"use_dora", "use_rslora", "fan_in_fan_out", "lora_bias"}) {
    VL3_CHECK(!config.contains(key) || config[key].is_null() || config[key] == false, kUnsupported,
              "{}: {} is set; only plain LoRA is supported", where, key);
  }
  for (const char* key : {"modules_to_save", "rank_pattern", "alpha_pattern", "layers_to_transform"}) {
    VL3_CHECK(!config.contains(key) || config[key].is_null() || config[key].empty(), kUnsupported,
              "{}: {} is set; only plain LoRA is supported", where, key);
  }
  VL3_CHECK(!config.contains("bias") || config["bias"] == "none", kUnsupported,
            "{}: bias is {}; only \"none\" is supported", where, config["bias"].dump());
}

std::vector<std::string> targets(const Json& config, const std::string& where) {
  const Json empty;
  const Json& value = config.contains("target_modules") ? config["target_modules"] : empty;
  VL3_CHECK(value.is_array() && !value.empty(), kUnsupported,
            "{}: target_modules is {}; expected a list of names (a pattern is not supported)", where,
            value.dump());
  std::vector<std::string> names;
  for (const Json& name : value) {
    VL3_CHECK(name.is_string(), kCorrupt, "{}: target_modules holds {}; expected names", where, name.dump());
    names.push_back(name.get<std::string>());
  }
  return names;
}

/// The adapted linears under the names that PEFT's modules have in a model of `layout`: a bare "q_proj" would
/// adapt the encoder, too.
std::vector<std::string> full_targets(const AdapterFiles& adapter, Flow layout) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : adapter.tensors) {
    const std::string in_layout = weights::layout_name(name, layout);
    names.insert(in_layout.substr(0, in_layout.rfind(".lora_")));
  }
  return {names.begin(), names.end()};
}

at::Tensor widened(const weights::TensorView& view, const std::string& name) {
  VL3_CHECK(weights::is_weight_dtype(view.dtype), kUnsupported, "{}: dtype {}; expected F32, BF16 or F16",
            name, weights::dtype_name(view.dtype));
  at::Tensor tensor = at::empty(view.shape, at::kFloat);
  weights::convert_elements(view.data, view.dtype, static_cast<std::byte*>(tensor.data_ptr()),
                            weights::DType::kF32, static_cast<uint64_t>(tensor.numel()));
  return tensor;
}

}  // namespace

AdapterFiles read_adapter(const std::filesystem::path& folder) {
  const std::string where = (folder / "adapter_config.json").string();
  const Json json = read_json_file(where);
  const JsonView view(json, where);
  VL3_CHECK(view.string("peft_type") == "LORA", kUnsupported, "{}: peft_type {}; expected LORA", where,
            view.string("peft_type"));
  refuse_variants(json, where);
  AdapterFiles adapter;
  adapter.lora.r = view.integer("r", 1, 1 << 20);
  adapter.lora.lora_alpha = view.number("lora_alpha");
  adapter.lora.lora_dropout = view.number_or("lora_dropout", 0.0);
  adapter.lora.target_modules = targets(json, where);

  const weights::SafetensorsFile file(folder / "adapter_model.safetensors");
  for (const auto& [key, tensor] : file.tensors()) {
    VL3_CHECK(key.starts_with(kPrefix), kCorrupt, "{}: key \"{}\" does not begin with {}",
              file.path().string(), key, kPrefix);
    const auto name = weights::canonical_name(key.substr(kPrefix.size()));
    VL3_CHECK(name && (name->ends_with(".lora_A.weight") || name->ends_with(".lora_B.weight")) &&
                  tensor.shape.size() == 2,
              kCorrupt, "{}: \"{}\" is no adapter of this architecture", file.path().string(), key);
    adapter.tensors[*name] = widened(tensor, key);
  }
  VL3_CHECK(!adapter.tensors.empty(), kCorrupt, "{}: no tensors", file.path().string());
  return adapter;
}

void write_adapter(const AdapterFiles& adapter, const std::filesystem::path& folder, Flow layout,
                   const std::string& base_model) {
  const OrderedJson config = {{"peft_type", "LORA"},
                              {"task_type", "CAUSAL_LM"},
                              {"base_model_name_or_path", base_model},
                              {"r", adapter.lora.r},
                              {"lora_alpha", adapter.lora.lora_alpha},
                              {"lora_dropout", adapter.lora.lora_dropout},
                              {"target_modules", full_targets(adapter, layout)},
                              {"bias", "none"},
                              {"fan_in_fan_out", false},
                              {"inference_mode", true}};
  write_file_atomically(folder / "adapter_config.json", config.dump(2) + "\n");

  std::vector<weights::TensorInfo> infos;
  for (const auto& [name, tensor] : adapter.tensors) {
    infos.push_back({.name = std::string(kPrefix) + weights::layout_name(name, layout),
                     .dtype = weights::DType::kF32,
                     .shape = tensor.sizes().vec()});
  }
  weights::SafetensorsWriter writer(folder / "adapter_model.safetensors", infos);
  for (const auto& [name, tensor] : adapter.tensors) {
    const at::Tensor flat = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
    writer.append({static_cast<const std::byte*>(flat.const_data_ptr()), flat.nbytes()});
  }
  writer.commit();
}

}  // namespace vl3::train
