// `vl3 convert --vision V --lm L`: where stage 1 starts. A vision tower and a language model that do not know
// one another become one VideoLLaMA3 folder with a fresh projector between them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/flow.h"
#include "weights/dtype.h"
#include "weights/shard_writer.h"

namespace vl3::weights {

struct ComposeOptions {
  Flow to = Flow::kRemote;
  std::optional<DType> dtype = {};  ///< of all tensors; unset: the language model's
  uint64_t seed = 0;                ///< of the projector
  uint64_t max_shard_size = 5'000'000'000;
  ByteProgress progress = {};
};

struct ComposeReport {
  DType dtype = DType::kF32;
  uint64_t tensors = 0;
  uint64_t bytes = 0;
  std::vector<std::string> dropped = {};  ///< tensors of either source that the model has no place for
};

/// @param vision  a SigLIP folder (SiglipModel or SiglipVisionModel: learned position table, pooling head and
/// text tower are dropped; positions come from the 2D rotary embedding), a tuned encoder (VL3-SigLIP-NaViT),
/// or a whole VideoLLaMA3 folder, whose encoder is taken (how the 7B model begins with the 2B's).
/// @param lm  a Qwen2 or Qwen2.5 folder with its tokenizer. <image>, <|stream_start|> and <|stream_end|> get
/// the next free ids; the embedding keeps its size, so they must fall into its unused rows. The projector is
/// mlp2x_gelu under torch's default for Linear, uniform in +-1/sqrt(in) for weights and biases, as the
/// official code leaves it: the module is made after the language model's weights were loaded and
/// initialised.
/// @param out  does not exist or is an empty folder; it appears whole or not at all.
/// @throws Error(kUnsupported) for another architecture or an embedding without room; Error(kCorrupt) for
/// weights that do not fit their config; as find_shards() and SafetensorsFile.
ComposeReport compose_checkpoint(const std::filesystem::path& vision, const std::filesystem::path& lm,
                                 const std::filesystem::path& out, const ComposeOptions& options);

}  // namespace vl3::weights
