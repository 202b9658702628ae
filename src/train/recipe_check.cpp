// What of a recipe contradicts itself, and what its `model` means.
#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/printable.h"
#include "hub/hub.h"
#include "train/recipe.h"
#include "train/run_folder.h"
#include "train/trainer_state.h"
#include "weights/weight_files.h"

namespace vl3::train {
namespace {

namespace fs = std::filesystem;

bool is_device(const std::string& device) {
  if (device == "auto" || device == "cpu" || device == "cuda") return true;
  const std::string index = device.starts_with("cuda:") ? device.substr(5) : "";
  return !index.empty() && index.size() <= 3 && index.find_first_not_of("0123456789") == std::string::npos;
}

bool is_plain(const std::string& text) { return printable(text) == text; }

bool has_weights(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (weights::is_weights_file(it->path().filename().string())) return true;
  }
  return false;
}

bool has_model(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "config.json", ignored);
}

/// The folder that `model` names where it is no name of the hub's: itself, or the run of that name.
fs::path named_folder(const TrainConfig& config) {
  const bool plain = config.model.find('/') == std::string::npos;
  if (!plain || has_model(config.model)) return config.model;
  return fs::path(config.output).parent_path() / config.model;
}

}  // namespace

void check_recipe(const TrainConfig& config, const std::string& where) {
  const DataConfig& data = config.data;
  VL3_CHECK(!config.name.empty() && config.name != "." && config.name != ".." &&
                config.name.find('/') == std::string::npos && config.name.size() <= 200,
            kInvalidArgument, "{}: name \"{}\"; expected a plain name without \"/\", it becomes a folder's",
            where, config.name);
  VL3_CHECK(is_plain(config.name) && is_plain(config.output), kInvalidArgument,
            "{}: name \"{}\" or output \"{}\" has control characters or is no UTF-8", where, config.name,
            config.output);
  VL3_CHECK(!config.model.empty(), kInvalidArgument,
            "{}: model is missing; give a model folder, a pulled ORG/NAME, or the name of an earlier run",
            where);
  VL3_CHECK(is_device(config.device), kInvalidArgument,
            "{}: device is \"{}\"; expected auto, cpu, cuda or cuda:N", where, config.device);
  // Adapters have their part's rate, so this holds with [lora], too; parts are told apart with the model
  // (lora_targets.h).
  VL3_CHECK(config.lr.llm_lr || config.lr.mm_projector_lr || config.lr.vision_encoder_lr, kInvalidArgument,
            "{}: nothing would be trained{}; give a part its rate: lr.llm_lr, lr.mm_projector_lr or "
            "lr.vision_encoder_lr",
            where, config.lora ? ", [lora] takes the learning rate of the part it adapts" : "");
  VL3_CHECK(
      std::none_of(data.sources.begin(), data.sources.end(),
                   [](const DataSource& source) { return source.data_path.empty() == source.synth.empty(); }),
      kInvalidArgument, "{}: a [[data.sources]] entry needs data_path or synth, one of them", where);
  VL3_CHECK(
      config.objective != "patch_labels" ||
          (config.lr.vision_encoder_lr && !config.lr.llm_lr && !config.lr.mm_projector_lr && !config.lora),
      kInvalidArgument,
      "{}: objective \"patch_labels\" trains the encoder: set lr.vision_encoder_lr alone, and no [lora]",
      where);
  VL3_CHECK(config.objective != "patch_labels" || !config.global_batch_tokens, kInvalidArgument,
            "{}: objective \"patch_labels\" counts pictures: set global_batch_size, not global_batch_tokens",
            where);
  VL3_CHECK(!data.sources.empty(), kInvalidArgument,
            "{}: no data; add [[data.sources]] with data_path = [\"FILE\"]", where);
  VL3_CHECK(data.mm_max_length <= data.model_max_length, kInvalidArgument,
            "{}: data.mm_max_length {} visual tokens do not fit into data.model_max_length {}", where,
            data.mm_max_length, data.model_max_length);
  VL3_CHECK(data.packing != "budget" || data.row_tokens >= data.model_max_length, kInvalidArgument,
            "{}: data.row_tokens is {}, but a sample may have data.model_max_length {}; raise the one or "
            "lower the other",
            where, data.row_tokens, data.model_max_length);
  VL3_CHECK(data.packing != "samples" || data.row_samples <= kMostRowTokens / data.model_max_length,
            kInvalidArgument,
            "{}: a row of data.row_samples {} samples of data.model_max_length {} tokens has more than {}; "
            "lower one "
            "of them",
            where, data.row_samples, data.model_max_length, kMostRowTokens);
  VL3_CHECK(!config.global_batch_tokens || data.packing != "budget" ||
                *config.global_batch_tokens >= data.row_tokens,
            kInvalidArgument, "{}: global_batch_tokens {} is less than one row of data.row_tokens {}", where,
            *config.global_batch_tokens, data.row_tokens);
  VL3_CHECK(
      config.global_batch_tokens || data.packing != "samples" || config.global_batch_size >= data.row_samples,
      kInvalidArgument, "{}: global_batch_size {} is less than one row of data.row_samples {}", where,
      config.global_batch_size, data.row_samples);
  const OptimizerConfig& optim = config.optim;
  VL3_CHECK(optim.lr_scheduler_type != "wsd" || optim.warmup_ratio + optim.decay_ratio <= 1, kInvalidArgument,
            "{}: optim.warmup_ratio {} and optim.decay_ratio {} are more than the whole run", where,
            optim.warmup_ratio, optim.decay_ratio);
}

fs::path resolve_model(const TrainConfig& config) {
  const std::string& model = config.model;
  const fs::path folder = named_folder(config);
  if (has_model(folder) && !is_unfinished_run(folder)) return folder;
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) {
    const std::vector<CheckpointPlace> found = list_checkpoints(folder);
    VL3_CHECK(
        found.empty(), kNotFound,
        "model \"{}\": the run in {} has not ended; finish it, or start from its newest checkpoint with "
        "model = \"{}\"",
        model, folder.string(), found.back().path.string());
    VL3_CHECK(!has_model(folder), kNotFound, "model \"{}\": the run in {} has not ended; finish it first",
              model, folder.string());
    VL3_FAIL(kNotFound, "model \"{}\": no config.json in {}; is it a model folder?", model, folder.string());
  }
  if (const std::optional<hub::ModelName> name = hub::parse_model_name(model)) {
    try {
      return hub::find_cached(name->repo_id, name->revision);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      VL3_FAIL(kNotFound,
               "model \"{}\": there is no such folder (`vl3 convert` makes one to begin with, see "
               "docs/guides/training.md), and as a name of the hub's: {}",
               model, error.what());
    }
  }
  VL3_FAIL(kNotFound, "model \"{}\": no such model folder, no run {}, and no name of the form ORG/NAME",
           model, folder.string());
}

void check_output(const TrainConfig& config, const fs::path& recipe) {
  const fs::path output(config.output);
  std::error_code ignored;
  VL3_CHECK(
      !fs::equivalent(named_folder(config), output, ignored), kInvalidArgument,
      "output {} is the folder of the model that training begins with, which would be overwritten; give "
      "another output",
      config.output);
  VL3_CHECK(!fs::exists(output / kStateFile, ignored), kInvalidArgument,
            "output {} is a checkpoint, which would be overwritten; give its run's folder, or another output",
            config.output);
  const bool is_run = fs::exists(output / kRecipeFile, ignored);
  VL3_CHECK(is_run || (!has_model(output) && !has_weights(output)), kInvalidArgument,
            "output {} holds a model that no run has made, and it would be overwritten; give another output",
            config.output);
  // A run's own record may be run again: it is what would be written.
  VL3_CHECK(
      fs::exists(output / kLogFile, ignored) || !fs::equivalent(recipe, output / kRecipeFile, ignored),
      kInvalidArgument,
      "{}: the run would write its own record over this recipe; keep it elsewhere, or give another output",
      recipe.string());
}

}  // namespace vl3::train
