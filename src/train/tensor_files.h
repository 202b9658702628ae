// libtorch tensors to and from safetensors files, for checkpoints of a run.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "weights/shard_writer.h"

namespace vl3::train {

/// A tensor that is made when its turn comes, so that what is written never lies in memory as a whole.
struct LazyTensor {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape = {};
  std::function<at::Tensor()> get = {};  ///< on any device; called once
};

/// Ready to be written; each comes to the CPU when its turn comes.
/// @throws Error(kUnsupported) for a dtype other than float32, bfloat16, float16 and int64.
std::vector<weights::OutTensor> out_tensors(const std::vector<LazyTensor>& tensors);

/// Every tensor of a file: views of the mapped file, which they keep alive; not to be written to.
/// @throws as weights::SafetensorsFile; Error(kUnsupported) for another dtype.
std::map<std::string, at::Tensor> read_tensors(const std::filesystem::path& file);

}  // namespace vl3::train
