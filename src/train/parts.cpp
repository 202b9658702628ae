#include "train/parts.h"

#include "core/check.h"

namespace vl3::train {

const char* part_name(Part part) {
  switch (part) {
    case Part::kLlm:
      return "llm";
    case Part::kMmProjector:
      return "mm_projector";
    case Part::kVisionEncoder:
      return "vision_encoder";
  }
  VL3_FAIL(kInternal, "part {}", static_cast<int>(part));
}

Part part_of(std::string_view name) {
  if (name.starts_with("model.vision_model.")) return Part::kVisionEncoder;
  if (name.starts_with("model.projector.")) return Part::kMmProjector;
  return Part::kLlm;
}

bool decays(std::string_view name) {
  return !name.ends_with(".bias") && name.find("norm") == std::string_view::npos;
}

bool is_table(std::string_view name) {
  return name == "model.language_model.embed_tokens.weight" || name == "lm_head.weight";
}

bool is_hidden_matrix(std::string_view name, const std::vector<int64_t>& shape) {
  return shape.size() == 2 && !is_table(name) && name.find(".lora_") == std::string_view::npos;
}

int64_t numel(const std::vector<int64_t>& shape) {
  int64_t out = 1;
  for (const int64_t size : shape) out *= size;
  return out;
}

std::optional<double> learning_rate(const LearningRates& rates, Part part) {
  switch (part) {
    case Part::kLlm:
      return rates.llm_lr;
    case Part::kMmProjector:
      return rates.mm_projector_lr;
    case Part::kVisionEncoder:
      return rates.vision_encoder_lr;
  }
  VL3_FAIL(kInternal, "part {}", static_cast<int>(part));
}

}  // namespace vl3::train
