// Parameters of any name and shape, from the generator of torch.
#pragma once

#include <ATen/ops/randn.h>

#include "nn/parameter_source.h"

namespace vl3::test {

class RandomSource : public nn::ParameterSource {
 public:
  at::Tensor get(const std::string& name, at::IntArrayRef shape) override {
    return given[name] = at::randn(shape);
  }
  std::map<std::string, at::Tensor> given;
};

}  // namespace vl3::test
