// Where a module's parameters come from. Modules ask for each parameter by its checkpoint key while they are
// built, so one constructor serves mapped checkpoints, random models and training.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <string_view>

#include "weights/checkpoint.h"
#include "weights/model_config.h"

namespace vl3::nn {

class ParameterSource {
 public:
  virtual ~ParameterSource() = default;
  /// @param name  canonical (native) key, e.g. "model.language_model.norm.weight".
  /// @return a tensor of exactly `shape`. @throws Error(kCorrupt) when it cannot be had.
  virtual at::Tensor get(const std::string& name, at::IntArrayRef shape) = 0;
};

/// A place in the tree of modules: a source and the prefix of keys below it.
class Scope {
 public:
  Scope(ParameterSource& source, std::string prefix) : source_(&source), prefix_(std::move(prefix)) {}
  Scope operator/(std::string_view child) const {
    return Scope(*source_, prefix_.empty() ? std::string(child) : prefix_ + "." + std::string(child));
  }
  at::Tensor get(const std::string& leaf, at::IntArrayRef shape) const {
    return source_->get(prefix_.empty() ? leaf : prefix_ + "." + leaf, shape);
  }

 private:
  ParameterSource* source_;
  std::string prefix_;
};

/// Parameters of a checkpoint on disk. With an unchanged dtype on the CPU a parameter is a view of the mapped
/// file (which the tensor keeps alive): pages are read when first used. Otherwise it is a converted copy.
class CheckpointSource : public ParameterSource {
 public:
  CheckpointSource(std::shared_ptr<const weights::Checkpoint> checkpoint, at::ScalarType dtype,
                   at::Device device);
  at::Tensor get(const std::string& name, at::IntArrayRef shape) override;

 private:
  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  at::ScalarType dtype_;
  at::Device device_;
};

}  // namespace vl3::nn
