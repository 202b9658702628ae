// The whole network under the checkpoint's own keys: model.vision_model, model.projector,
// model.language_model, lm_head. The one definition that answers and trains.
#pragma once

#include "lm/language_model.h"
#include "projector/projector.h"
#include "vision/vision_model.h"
#include "weights/model_config.h"

namespace vl3::engine {

class VideoLlama3Impl : public torch::nn::Module {
 public:
  /// Takes every parameter from `source` under its canonical (native) name.
  VideoLlama3Impl(nn::ParameterSource& source, const weights::ModelConfig& config);

  /// @param hidden_PD  rows of LanguageModel::forward()'s result.  @return logits [P, V] in float32.
  at::Tensor logits(const at::Tensor& hidden_PD) const;

  /// [V, D]: lm_head, or the embedding table where they are tied.
  nn::Matrix head() const;
  /// The same where it is plain, as in training.
  const at::Tensor& head_weight() const;

  vision::VisionModel vision_model{nullptr};
  projector::Projector projector{nullptr};
  lm::LanguageModel language_model{nullptr};

 private:
  nn::Linear lm_head_{nullptr};  // absent when tied to the embedding table
};
TORCH_MODULE(VideoLlama3);

}  // namespace vl3::engine
