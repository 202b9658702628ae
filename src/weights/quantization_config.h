// `quantization_config` of config.json: compressed-tensors, the format that transformers and vLLM read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"

namespace vl3::weights {

/// How a weight [O, I] is stored: whole numbers times a scale, symmetric about 0.
struct QuantScheme {
  int bits = 8;       ///< 8: values -127..127; 4: -8..7, packed eight to a 32-bit word
  int64_t group = 0;  ///< inputs that share a scale; 0: all of an output's
  bool operator==(const QuantScheme&) const = default;
};

/// Modules that are stored alike.
struct QuantGroup {
  std::vector<std::string> targets;  ///< module names in the file's layout, or "re:" and a regular expression
  QuantScheme scheme;
  /// Whether inputs are rounded to 8 bits, each token by its own greatest value, where the format says so.
  bool dynamic_inputs = false;
};

/// The section for these groups. The format of a group is int-quantized (8 bits) or pack-quantized (4 bits).
OrderedJson make_quantization_config(const std::vector<QuantGroup>& groups);

/// Checks a section found in a checkpoint. What each weight is stored as is then read off its tensors
/// (weights/quantised_view.h): the names that a section's patterns would choose are those that have a scale.
/// @throws Error(kUnsupported) for another method, asymmetric or floating-point values, bits other than 4 and
///   8, static or asymmetric inputs, a quantised cache; Error(kCorrupt) for a malformed section.
void check_quantization_config(const JsonView& section);

}  // namespace vl3::weights
