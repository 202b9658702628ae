// `vl3 convert`: a checkpoint from one layout, dtype and sharding to another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/flow.h"
#include "weights/dtype.h"
#include "weights/shard_writer.h"

namespace vl3::weights {

struct ConvertOptions {
  Flow to = Flow::kNative;
  std::optional<DType> dtype = {};          ///< F32, BF16 or F16 for all tensors; unset: each keeps its own
  uint64_t max_shard_size = 5'000'000'000;  ///< bytes of tensors a file
  ByteProgress progress = {};
};

struct ConvertReport {
  DType dtype = DType::kF32;  ///< as config.json now says
  uint64_t tensors = 0;
  uint64_t bytes = 0;  ///< of all tensors written
};

/// Writes the model folder `source` as the new folder `out`: weights under the layout's names, config,
/// processor configs, generation defaults, tokenizer and chat template. Quantised weights are written as
/// numbers again. Memory stays at some tens of MiB whatever the size. `out` appears whole or not at all.
/// Rounding is to nearest, ties to even.
/// @param out  does not exist or is an empty folder.
/// @throws as load_model_config() and Checkpoint::open() for the source; Error(kInvalidArgument) for `out` or
/// a weight beyond the dtype's range; Error(kUnsupported) for what the layout cannot say;
/// Error(kResourceExhausted) for a full disk.
ConvertReport convert_checkpoint(const std::filesystem::path& source, const std::filesystem::path& out,
                                 const ConvertOptions& options);

}  // namespace vl3::weights
