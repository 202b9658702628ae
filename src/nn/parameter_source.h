// Where a module's parameters come from. Modules ask for each parameter by its checkpoint key while they are
// built, so one constructor serves mapped checkpoints, random models and training.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "nn/packed_weight.h"
#include "weights/checkpoint.h"
#include "weights/model_config.h"

namespace vl3::nn {

class ParameterSource {
 public:
  virtual ~ParameterSource() = default;
  /// @param name  canonical (native) key, e.g. "model.language_model.norm.weight".
  /// @return a tensor of exactly `shape`. @throws Error(kCorrupt) when it cannot be had.
  virtual at::Tensor get(const std::string& name, at::IntArrayRef shape) = 0;
  /// The same for a matrix that may be packed instead. @return null where it is plain.
  virtual std::shared_ptr<const PackedWeight> packed(const std::string& name, at::IntArrayRef shape);
};

/// A place in the tree of modules: a source and the prefix of keys below it.
class Scope {
 public:
  Scope(ParameterSource& source, std::string prefix) : source_(&source), prefix_(std::move(prefix)) {}
  Scope operator/(std::string_view child) const {
    return Scope(*source_, prefix_.empty() ? std::string(child) : prefix_ + "." + std::string(child));
  }
  at::Tensor get(const std::string& leaf, at::IntArrayRef shape) const {
    return source_->get(name(leaf), shape);
  }
  std::shared_ptr<const PackedWeight> packed(const std::string& leaf, at::IntArrayRef shape) const {
    return source_->packed(name(leaf), shape);
  }

 private:
  std::string name(const std::string& leaf) const { return prefix_.empty() ? leaf : prefix_ + "." + leaf; }

  ParameterSource* source_;
  std::string prefix_;
};

/// Parameters of a checkpoint on disk. With an unchanged dtype on the CPU a parameter is a view of the mapped
/// file (which the tensor keeps alive): pages are read when first used. Otherwise it is a converted copy.
/// Quantised matrices are packed on the CPU; asked for as plain parameters they are written out as numbers.
class CheckpointSource : public ParameterSource {
 public:
  CheckpointSource(std::shared_ptr<const weights::Checkpoint> checkpoint, at::ScalarType dtype,
                   at::Device device);
  at::Tensor get(const std::string& name, at::IntArrayRef shape) override;
  std::shared_ptr<const PackedWeight> packed(const std::string& name, at::IntArrayRef shape) override;
  /// Given out so far, by name.
  const std::map<std::string, std::shared_ptr<const PackedWeight>>& all_packed() const { return packed_; }

 private:
  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  at::ScalarType dtype_;
  at::Device device_;
  std::map<std::string, std::shared_ptr<const PackedWeight>> packed_;
};

}  // namespace vl3::nn
