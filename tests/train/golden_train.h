// The golden training set as packed rows: $VL3_GOLDEN_TRAIN_DIR, else the project's own subset. Its README
// tells the format, the rules and the tolerances.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "data/packed_row.h"
#include "support/golden_tensors.h"
#include "support/temp_dir.h"
#include "weights/checkpoint.h"

namespace vl3::test {

/// False, with the reason said by the test, where the set is absent.
bool has_golden_train();

std::shared_ptr<const weights::Checkpoint> open_checkpoint(const std::filesystem::path& folder);

/// One sample after processing, with or without pruning. @param image_merge 1, or 2 for the .im2 variant of
/// images.
data::PackedRow golden_row(const std::vector<std::string>& samples, int64_t image_merge, bool prune,
                           int64_t image_token);

/// A micro-batch from its own batch file (ids, labels, keep) and the samples' patches.
data::PackedRow golden_micro_batch(const std::string& key, const Json& entry, int64_t image_token);

/// Tensors of a file as float32, under canonical names where a name is known.
std::map<std::string, at::Tensor> golden_weights(const std::filesystem::path& file);

/// |a - b| / |b| over all tensors of `wanted` together, each of which must be in `found`.
double relative_l2(const std::map<std::string, at::Tensor>& found,
                   const std::map<std::string, at::Tensor>& wanted);
double relative_l2(const at::Tensor& found, const at::Tensor& wanted);

}  // namespace vl3::test
