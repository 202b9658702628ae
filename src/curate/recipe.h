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

/// The lines "key = value" that scores depend on, sorted; equal lines over an equal input give equal scores.
/// Paths are canonical, models stand only where something is asked of them: "caption_gain = MODEL DTYPE"
/// (captions' gains are computed), "scorers.NAME = …" (of the user's models; columns are read from the rows).
/// The input's files and the data root are not among them: ItemSource::fingerprint() tells them.
std::vector<std::string> scoring_keys(const CurateConfig& config);

/// The lines that the selection depends on besides the scores, sorted.
std::vector<std::string> selection_keys(const CurateConfig& config);

}  // namespace vl3::curate
