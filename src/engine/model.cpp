#include "engine/model.h"

namespace vl3::engine {

VideoLlama3Impl::VideoLlama3Impl(nn::ParameterSource& source, const weights::ModelConfig& config) {
  const nn::Scope root(source, "");
  auto model = register_module("model", std::make_shared<torch::nn::Module>("model"));
  const nn::Scope scope = root / "model";
  vision_model =
      model->register_module("vision_model", vision::VisionModel(scope / "vision_model", config.vision));
  projector = model->register_module("projector", projector::Projector(scope / "projector", config));
  language_model =
      model->register_module("language_model", lm::LanguageModel(scope / "language_model", config.text));
  if (!config.text.tie_word_embeddings) {
    lm_head_ = register_module(
        "lm_head", nn::Linear(root / "lm_head", config.text.hidden_size, config.text.vocab_size, false));
  }
}

at::Tensor VideoLlama3Impl::logits(const at::Tensor& hidden_PD) const {
  return head().product(hidden_PD).to(at::kFloat);
}

nn::Matrix VideoLlama3Impl::head() const {
  return lm_head_.is_empty() ? language_model->embed_tokens() : lm_head_->matrix();
}

const at::Tensor& VideoLlama3Impl::head_weight() const {
  return lm_head_.is_empty() ? language_model->embed_tokens_weight() : lm_head_->weight;
}

}  // namespace vl3::engine
