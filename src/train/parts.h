// The three parts of the model that train at rates of their own, and which weights are decayed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// The embedding table or the output head.
bool is_table(std::string_view name);

/// Matrices of hidden layers, whose update Muon makes orthogonal; tables, norms, biases, adapters and the
/// patch convolution keep AdamW. Source: Jordan et al. 2024.
bool is_hidden_matrix(std::string_view name, const std::vector<int64_t>& shape);

/// Elements of a shape.
int64_t numel(const std::vector<int64_t>& shape);

/// Unset: the part is frozen.
std::optional<double> learning_rate(const LearningRates& rates, Part part);

}  // namespace vl3::train
