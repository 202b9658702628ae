// libtorch tensors to and from safetensors files, for checkpoints of a run.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "weights/shard_writer.h"

namespace vl3::train {

/// Tensors ready to be written: copied to the CPU one at a time, when their turn comes.
/// @throws Error(kUnsupported) for a dtype other than float32, bfloat16, float16 and int64.
std::vector<weights::OutTensor> out_tensors(const std::map<std::string, at::Tensor>& tensors);

/// Every tensor of a file: views of the mapped file, which they keep alive; not to be written to.
/// @throws as weights::SafetensorsFile; Error(kUnsupported) for another dtype.
std::map<std::string, at::Tensor> read_tensors(const std::filesystem::path& file);

}  // namespace vl3::train
