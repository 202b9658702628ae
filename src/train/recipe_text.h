// Visitors of recipe_fields.h that turn a config into lines of text. Internal to recipe*.cpp.
#pragma once

#include <string>
#include <vector>

#include "core/recipe_lines.h"
#include "train/train_config.h"

namespace vl3::train {

using recipe::RecipeLine;

/// Every key of the config in the order of the table.
std::vector<RecipeLine> recipe_lines(const TrainConfig& config);

/// Every key there is, with sections and, for the entries of lists, "0" as index.
std::vector<std::string> known_keys();

}  // namespace vl3::train
