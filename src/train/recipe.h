// Recipes: what `vl3 train RECIPE.toml` reads. Keys are the members of train_config.h, sections its structs:
//
//   name = "stage2"            [lr]     llm_lr = 1e-5          [[data.sources]]  data_path = ["a.jsonl"]
//   model = "stage1"           [optim]  weight_decay = 0.0                       weight = 0.5
//
// `--set lr.llm_lr=2e-5` and `--set data.sources.0.weight=1` override keys of the file. Relative paths, in
// the file as on the command line, start at the current folder. No torch here. Functions are free of shared
// state.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "train/train_config.h"

namespace vl3::train {

/// @param set  "key=value" each, applied in order after the file. The value is TOML; text that is no TOML
/// value is taken as a string, so `--set model=stage1` needs no quotes. "none" unsets an optional key
/// (`lr.llm_lr=none` freezes the language model, `lora=none` trains without adapters). The index one past the
/// last makes an entry.
/// @return defaults filled in: `name` is the file's stem, `output` is runs/NAME.
/// @throws Error(kNotFound) without the file; Error(kInvalidArgument) "FILE:LINE: …" for malformed TOML, an
/// unknown key (with the nearest known one), a wrong type, a value out of range, and what check_recipe()
/// refuses.
TrainConfig load_recipe(const std::filesystem::path& file, const std::vector<std::string>& set = {});

/// The same for a recipe in memory. @param where  what errors call it; its stem is the default name.
TrainConfig parse_recipe(std::string_view toml, const std::string& where,
                         const std::vector<std::string>& set = {});

/// Refuses values that contradict one another: nothing trained, rows too short for a sample, ….
/// @throws Error(kInvalidArgument) naming keys, the values found and what is allowed.
void check_recipe(const TrainConfig& config, const std::string& where);

/// Every key with its value, as a recipe that gives the same config again; unset optional keys as comments.
std::string recipe_toml(const TrainConfig& config);

/// Lines "key = value" of what all processes of a run must have alike: keys that the result follows from, and
/// how often it is saved, which all of them take part in.
std::string numbers_toml(const TrainConfig& config);

/// Keys that differ and that another result follows from, as "lr.llm_lr: 1e-05 -> 2e-05". Where the run's
/// files are, how often it saves and logs, workers and device are left out.
std::vector<std::string> changed_keys(const TrainConfig& before, const TrainConfig& after);

/// The folder `config.model` means: a model folder; else "ORG/NAME" or "ORG/NAME@REVISION" in the hub's
/// cache; else the run of that name beside this one's output (runs/NAME), whose final weights lie in its
/// folder.
/// @throws Error(kNotFound) saying what was looked for; a run that has not ended names its newest checkpoint.
std::filesystem::path resolve_model(const TrainConfig& config);

/// Refuses an output whose model would be overwritten by the run's.
/// @param recipe  the file that the config was read from.
/// @throws Error(kInvalidArgument) for the folder of `model`, for a model folder that is no run, for a
/// checkpoint of one, and where the run's record would take the recipe's place.
void check_output(const TrainConfig& config, const std::filesystem::path& recipe = {});

}  // namespace vl3::train
