// Visitors of recipe_fields.h that turn a config into lines of text. Internal to recipe*.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/train_config.h"

namespace vl3::train {

struct RecipeLine {
  std::string key;    ///< "data.sources.0.weight"
  std::string value;  ///< as TOML; "none" when unset
  bool changes_numbers = true;
};

/// Every key of the config in the order of the table.
std::vector<RecipeLine> recipe_lines(const TrainConfig& config);

/// Every key there is, with sections and, for the entries of lists, "0" as index.
std::vector<std::string> known_keys();

/// Of `known`, the one a person most likely meant; "" when none is near.
std::string nearest_key(const std::string& key, const std::vector<std::string>& known);

}  // namespace vl3::train
