// The one place that knows what tensors a model has and what each checkpoint layout calls them. Everything
// else uses the canonical name, which is the key of transformers' native layout.
//
// clang-format off
//   canonical (native)          remote                    also read
//   model.vision_model.*        model.vision_encoder.*    model.vision_encoder.vision_encoder.* (training code)
//   model.projector.readout.*   model.mm_projector.*      model.mm_projector.{weight,bias} ("linear" projector)
//   model.language_model.*      model.*
//   lm_head.weight              lm_head.weight
// clang-format on
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/flow.h"
#include "weights/model_config.h"

namespace vl3::weights {

struct ExpectedTensor {
  std::string name;  ///< canonical
  std::vector<int64_t> shape;

  bool operator==(const ExpectedTensor&) const = default;
};

/// Every tensor of the model in the order of the data flow. Linear weights are [out, in]; a tied model has no
/// lm_head.weight; a "linear" projector counts as an MLP of one layer.
std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

/// The canonical name of a tensor of a file in any of the layouts; nullopt for a name outside all of them.
std::optional<std::string> canonical_name(std::string_view file_name);

/// What `layout` calls a canonical name.
std::string layout_name(const std::string& canonical, Flow layout);

}  // namespace vl3::weights
