#include "projector/projector.h"

#include <ATen/ops/gelu.h>

namespace vl3::projector {

ProjectorImpl::ProjectorImpl(const nn::Scope& scope, const weights::ModelConfig& config) {
  const int64_t depth = weights::projector_depth(config.mm_projector_type);
  auto readout = register_module("readout", std::make_shared<torch::nn::Module>("readout"));
  for (int64_t i = 0; i < depth; ++i) {
    const std::string index = std::to_string(2 * i);  // the odd places are the GELUs
    readout_.push_back(readout->register_module(
        index,
        nn::Linear(scope / "readout" / index, i == 0 ? config.vision.hidden_size : config.text.hidden_size,
                   config.text.hidden_size, true)));
  }
}

at::Tensor ProjectorImpl::forward(at::Tensor x) const {
  for (size_t i = 0; i < readout_.size(); ++i) x = readout_[i]->forward(i == 0 ? x : at::gelu(x));
  return x;
}

}  // namespace vl3::projector
