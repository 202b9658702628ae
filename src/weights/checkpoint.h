// The weights of a model folder: one model.safetensors, or shards behind model.safetensors.index.json. Files
// are mapped, so opening reads headers only. Immutable after open(); safe to read from several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "weights/hf_names.h"
#include "weights/model_config.h"
#include "weights/quantised_view.h"
#include "weights/safetensors.h"

namespace vl3::weights {

class Checkpoint {
 public:
  /// Opens the folder's weights and checks them against the config: every expected tensor is there exactly
  /// once, with its shape and a weight dtype, and nothing else is there. A tied model may carry a surplus
  /// lm_head.weight of the right shape, which is ignored as transformers does. Where the config has a
  /// quantization_config, matrices may be quantised.
  /// @throws Error(kNotFound) without weights or with a shard missing; Error(kCorrupt) naming the first few
  /// missing, surplus, doubled or misshapen tensors; Error(kUnsupported) for pickled weights, another dtype
  /// or another way of quantising.
  static Checkpoint open(const std::filesystem::path& dir, const ModelConfig& config);

  /// @param canonical_name  see hf_names.h. @throws Error(kNotFound) for a name the model does not have or
  ///   whose weight is quantised.
  const TensorView& view(const std::string& canonical_name) const;
  /// The weight where it is stored as whole numbers with scales, else null.
  const QuantisedView* quantised(const std::string& canonical_name) const;
  bool contains(const std::string& canonical_name) const {
    return tensors_.contains(canonical_name) || quantised_.contains(canonical_name);
  }

  const ModelConfig& config() const { return config_; }
  const std::filesystem::path& dir() const { return config_.dir; }
  /// In the order of expected_tensors().
  const std::vector<ExpectedTensor>& tensors() const { return expected_; }
  /// The dtype that most bytes are stored in; quantised weights do not count, but their scales do.
  DType dtype() const { return dtype_; }
  /// Of all tensors.
  uint64_t size_bytes() const { return size_bytes_; }

  /// Tells the kernel that a tensor's pages can be dropped (they are read again when touched), or will soon
  /// be used.
  void advise_dont_need(const std::string& canonical_name) const;
  void advise_will_need(const std::string& canonical_name) const;

 private:
  Checkpoint() = default;

  ModelConfig config_;
  std::vector<SafetensorsFile> files_;
  std::vector<ExpectedTensor> expected_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, QuantisedView> quantised_;
  DType dtype_ = DType::kF32;
  uint64_t size_bytes_ = 0;
};

}  // namespace vl3::weights
