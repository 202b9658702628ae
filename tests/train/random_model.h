// A small model with random weights and rows to train it on, made in memory: tests that need no golden set.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/packed_row.h"
#include "support/temp_dir.h"
#include "train/tensor_files.h"
#include "weights/checkpoint.h"

namespace vl3::test {

/// A float32 checkpoint below `folder`.
std::shared_ptr<const weights::Checkpoint> random_model(const std::filesystem::path& folder, bool tied);

/// A row of samples of different lengths, the first of which shows a picture and a two-frame video unless
/// `text_only`. The same seed gives the same row.
data::PackedRow random_row(uint64_t seed, bool text_only = false);

/// All of them, made and copied.
std::map<std::string, at::Tensor> collected(const std::vector<train::LazyTensor>& tensors);

/// The weights as a checkpoint in a folder that does not exist yet, for resuming.
std::shared_ptr<const weights::Checkpoint> saved(const weights::Checkpoint& origin,
                                                 const std::map<std::string, at::Tensor>& weights,
                                                 const std::filesystem::path& folder);

}  // namespace vl3::test
