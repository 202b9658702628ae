// The three parts of the model that train at rates of their own, and which weights are decayed.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "train/train_config.h"

namespace vl3::train {

enum class Part { kLlm, kMmProjector, kVisionEncoder };

inline constexpr std::array<Part, 3> kParts = {Part::kLlm, Part::kMmProjector, Part::kVisionEncoder};

/// "llm", "mm_projector", "vision_encoder": the names of recipes and logs.
const char* part_name(Part part);

/// @param name  canonical. Everything outside encoder and projector is the language model: embeddings and
/// head, too.
Part part_of(std::string_view name);

/// Biases and norm weights are never decayed; embeddings are. Source: spec/training.md 8.
bool decays(std::string_view name);

/// Unset: the part is frozen.
std::optional<double> learning_rate(const LearningRates& rates, Part part);

}  // namespace vl3::train
