// Writing a model's tensors as one model.safetensors or as numbered shards with an index, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "weights/safetensors_writer.h"

namespace vl3::weights {

/// Takes a tensor's next bytes, in pieces of any size.
using ByteSink = std::function<void(std::span<const std::byte>)>;

struct OutTensor {
  TensorInfo info = {};                               ///< under its name in the file
  std::function<void(const ByteSink&)> produce = {};  ///< gives all bytes to the sink; called once
};

/// What a long operation says on the way: bytes of weights written so far, and in all.
using ByteProgress = std::function<void(uint64_t done, uint64_t total)>;

/// A shard is closed before the tensor that would take it past the limit, as transformers does; a single
/// tensor above the limit has a shard of its own. Within a shard wide dtypes come first, which keeps every
/// tensor aligned.
/// @param folder  exists. @param max_shard_size  bytes of tensors, above 0.
/// @throws Error(kInvalidArgument), Error(kResourceExhausted) for a full disk, and what `produce` throws.
void write_sharded(const std::filesystem::path& folder, const std::vector<OutTensor>& tensors,
                   uint64_t max_shard_size, const ByteProgress& progress = {});

}  // namespace vl3::weights
