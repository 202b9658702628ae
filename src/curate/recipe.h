// Recipes of `vl3 curate`: TOML whose keys are the members of curate_config.h, read as train's recipes are.
// Functions are free of shared state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "curate/curate_config.h"

namespace vl3::curate {

/// @param file  "" for a curation without a recipe: the defaults and `set` alone.
/// @param set  "key=value" each, applied in order after the file, as in train/recipe.h.
/// @throws Error(kNotFound); Error(kInvalidArgument) "FILE:LINE: …" for malformed TOML, an unknown key (with
/// the nearest known one), a wrong type, a value out of range, and keys that contradict one another.
CurateConfig load_recipe(const std::string& file, const std::vector<std::string>& set);

/// The same for a recipe in memory.
CurateConfig parse_recipe(std::string_view toml, const std::string& where,
                          const std::vector<std::string>& set);

/// Every key with its value, as a recipe that gives the same config again.
std::string recipe_toml(const CurateConfig& config);

/// The lines "key = value" that scores depend on, sorted; equal lines give equal scores.
std::vector<std::string> scoring_keys(const CurateConfig& config);

}  // namespace vl3::curate
