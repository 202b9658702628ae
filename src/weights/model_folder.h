// Everything of a model folder but its weights: config, processor configs, generation defaults, tokenizer,
// template. Shared by whatever writes checkpoints (convert, random_init, training).
#pragma once

#include <filesystem>
#include <vector>

#include "core/json.h"
#include "weights/dtype.h"
#include "weights/model_config.h"
#include "weights/shard_writer.h"

namespace vl3::weights {

/// Writes the files for `layout` into the existing folder `out`. With the layout of the source they are
/// copied (the dtype of config.json is set anew, its quantization_config left out); otherwise written from
/// what they mean.
/// @param source  as load_model_config() gave it; source.dir empty for a config made in memory (no tokenizer
/// then).
/// @throws as make_config(), write_processor_configs() and convert_tokenizer().
void write_side_files(const ModelConfig& source, Flow layout, DType dtype, const std::filesystem::path& out);

/// Of these: config.json, the processor configs and the chat template, from what `config` says.
/// @param source_text  as make_config() takes it.
void write_new_side_files(const ModelConfig& config, Flow layout, DType dtype, const Json& source_text,
                          const std::filesystem::path& out);

/// Writes the tensors in `folder`, then opens the result as any reader would: a folder this does not refuse
/// is whole.
void write_and_verify(const std::filesystem::path& folder, const std::vector<OutTensor>& tensors,
                      uint64_t max_shard_size, const ByteProgress& progress);

}  // namespace vl3::weights
