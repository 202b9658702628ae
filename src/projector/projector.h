// From the vision encoder's width into the language model's: "mlpKx_gelu" is K linears with exact GELU
// between.
#pragma once

#include "nn/modules.h"
#include "weights/model_config.h"

namespace vl3::projector {

class ProjectorImpl : public torch::nn::Module {
 public:
  /// @throws Error(kUnsupported) for another mm_projector_type.
  ProjectorImpl(const nn::Scope& scope, const weights::ModelConfig& config);
  /// @param x [..., Dv]  @return [..., D]. Source: spec "Projector".
  at::Tensor forward(at::Tensor x) const;

 private:
  std::vector<nn::Linear> readout_;
};
TORCH_MODULE(Projector);

}  // namespace vl3::projector
