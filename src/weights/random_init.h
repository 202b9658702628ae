// A fresh model with random weights: for demonstrations, tests and benchmarks, and where training starts from
// nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "weights/dtype.h"
#include "weights/model_config.h"
#include "weights/shard_writer.h"

namespace vl3::weights {

struct RandomInitOptions {
  uint64_t seed = 0;
  DType dtype = DType::kBF16;
  double std = 0.02;  ///< of the linear, convolution and embedding weights
  /// GPT-2's rule for training deep models from nothing: projections back into the residual stream (o_proj,
  /// down_proj, out_proj, fc2) have std / sqrt(2 * layers), so that the stream's variance does not grow with
  /// depth.
  bool scale_residual = false;
  uint64_t max_shard_size = 5'000'000'000;
  ByteProgress progress = {};
};

/// `count` numbers uniform in [-bound, bound) that depend on seed and name alone.
void produce_uniform(const std::string& name, uint64_t count, double bound, uint64_t seed, DType dtype,
                     const ByteSink& sink);

/// Writes a model folder in the config's own layout: weights normal(0, std), norms 1, biases 0. A tensor's
/// numbers depend on seed, its canonical name and std alone, so both layouts and any sharding give the same
/// model.
/// @param config  with `dir` set, the tokenizer and the other files of that folder are copied; with `dir`
/// empty, the configs are written from the struct and there is no tokenizer.
/// @param out  does not exist or is an empty folder; it appears whole or not at all.
/// @throws Error(kInvalidArgument), Error(kCorrupt) for dims that load_model_config() would refuse.
void write_random_checkpoint(const ModelConfig& config, const std::filesystem::path& out,
                             const RandomInitOptions& options);

/// The same for the config.json and side files of a folder, which needs no weights.
void write_random_checkpoint(const std::filesystem::path& config_dir, const std::filesystem::path& out,
                             const RandomInitOptions& options);

}  // namespace vl3::weights
