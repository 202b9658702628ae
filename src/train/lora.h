// Low-rank adapters (LoRA) beside frozen linears: which linears have one, their first values, merging, and
// PEFT's file format.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "train/parameter_store.h"
#include "train/train_config.h"
#include "weights/model_config.h"

namespace vl3::train {

/// LINEAR.lora_A.weight [r, in] and LINEAR.lora_B.weight [out, r] of each adapted linear (lora_targets.h), to
/// be trained.
/// @throws Error(kInvalidArgument) for a value out of range; as lora_linears().
std::vector<Trainable> adapter_parameters(const LoraConfig& lora, const weights::ModelConfig& config);

/// Gives the model's linears their adapters: views of the store's parameters, A uniform in +-1/sqrt(in) by
/// `seed`, B zero, as PEFT begins.
void attach_adapters(torch::nn::Module& model, ParameterStore& store, const LoraConfig& lora, uint64_t seed);

/// Seeds of the next row's dropout masks.
void seed_adapters(torch::nn::Module& model, uint64_t seed);
/// Turns dropout off (evaluation) or on again.
void set_adapter_dropout(torch::nn::Module& model, double dropout);

/// W + scale * B A of an adapted linear, float32. @param linear  canonical name without ".weight".
at::Tensor merged_weight(const at::Tensor& weight, const at::Tensor& a, const at::Tensor& b,
                         const LoraConfig& lora);

/// An adapter as it lies in a folder: adapter_config.json, adapter_model.safetensors. Keys are canonical
/// names.
struct AdapterFiles {
  LoraConfig lora;  ///< target_modules as the file has them: any names that PEFT takes
  std::map<std::string, at::Tensor> tensors;  ///< float32
};

/// @throws Error(kNotFound), Error(kCorrupt); Error(kUnsupported) for PEFT features beyond plain LoRA, naming
/// them.
AdapterFiles read_adapter(const std::filesystem::path& folder);

/// Writes both files into the existing folder; keys and target_modules are those that PEFT gives the adapters
/// of a model in `layout`, the latter in full.
/// @param base_model  recorded as base_model_name_or_path.
void write_adapter(const AdapterFiles& adapter, const std::filesystem::path& folder, Flow layout,
                   const std::string& base_model);

}  // namespace vl3::train
