// Which matrices of a model are stored in how many bits.
#pragma once

#include <string>
#include <vector>

#include "weights/hf_names.h"
#include "weights/model_config.h"
#include "weights/quantization_config.h"

namespace vl3::quantize {

/// What is measured together.
enum class Part { kVision, kProjector, kLanguageModel, kEmbeddings };
const char* part_name(Part part);  ///< "vision", "projector", "lm", "embeddings"
Part part_of(const std::string& weight);

/// Bits of the vision encoder with its projector, and of the language model with its embeddings.
struct Bits {
  int vision = 8;       ///< 8, or 0: as it was
  int lm = 8;           ///< 8, 4 or 0
  int64_t group = 128;  ///< inputs that share a scale, of 4-bit weights: 32, 64 or 128
};

struct Module {
  std::string weight;  ///< canonical name, "….weight"
  Part part = Part::kVision;
  int64_t out = 0, in = 0;
  weights::QuantScheme scheme = {};
  /// The embedding table is looked up, never multiplied, unless the head shares it.
  bool multiplied = true;
};

/// Every matrix that is quantised, in the order of the data flow. With lm = 4 the decoder's linears have 4
/// bits; those whose inputs are no multiple of the group, the embeddings and the head have 8: the head's
/// rounding reaches every logit, and one table is a small part of a model.
std::vector<Module> plan_modules(const weights::ModelConfig& config, const Bits& bits);

/// The modules as groups of quantization_config; layers share a pattern. Names are `layout`'s.
/// @param tied_head  the head's products are with the embedding table: transformers needs it named.
std::vector<weights::QuantGroup> config_groups(const std::vector<Module>& modules, Flow layout,
                                               bool tied_head);

}  // namespace vl3::quantize
