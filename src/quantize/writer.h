// Rounded matrices and what stays as it was as a model folder in the compressed-tensors format.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "quantize/module_plan.h"
#include "quantize/rounding.h"
#include "weights/checkpoint.h"
#include "weights/shard_writer.h"

namespace vl3::quantize {

/// A matrix as the format stores it: values int8 [O, I], or int32 [O, I / 8]; scale in the checkpoint's
/// dtype.
struct Stored {
  at::Tensor values, scale;
};
/// @param scale_dtype  whose numbers the scales are.
Stored stored(const Rounded& rounded, const weights::QuantScheme& scheme, at::ScalarType scale_dtype);

/// Fills the existing folder. @param matrices  by canonical name, all of `modules`.
/// @return bytes of all tensors.
uint64_t write_quantised(const weights::Checkpoint& source, const std::vector<Module>& modules,
                         const std::map<std::string, Stored>& matrices, uint64_t max_shard_size,
                         const std::filesystem::path& folder, const weights::ByteProgress& progress);

}  // namespace vl3::quantize
