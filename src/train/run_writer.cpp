#include "train/run_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "core/file.h"
#include "train/lora.h"
#include "train/parts.h"
#include "train/recipe.h"

namespace vl3::train {
namespace fs = std::filesystem;

void RunWriter::begin(const weights::ModelConfig& model, int64_t resumed_step) {
  layout_ = model.layout;
  folder_.remove_debris();
  abandon_later_checkpoints(folder_, resumed_step);
  unmark_finished(folder_);
  const weights::DType dtype = config_.dtype == "float32" ? weights::DType::kF32 : weights::DType::kBF16;
  store_.emplace(folder_, ModelFiles(model, dtype, config_.data.use_token_compression, folder_.path()),
                 config_.save_total_limit);
  log_.emplace(folder_.path() / kLogFile, resumed_step);
  bad_samples_.emplace(folder_.path() / kBadSamplesFile, resumed_step);
  if (config_.tensorboard) events_.emplace(folder_.path() / "tensorboard", resumed_step);
  write_file_atomically(folder_.path() / kRecipeFile, recipe_toml(config_));
}

void RunWriter::log(const StepMetrics& metrics) {
  log_->write(to_json(metrics));
  if (events_) events_->write(metrics);
}

fs::path RunWriter::save(TrainStep& step, const TrainerState& state) {
  log_->sync();
  bad_samples_->sync();
  CheckpointContents contents;
  contents.weights = out_tensors(step.merged_weights());
  contents.optimizer = out_tensors(step.state());
  contents.state = state;
  contents.recipe = recipe_toml(config_);
  if (config_.lora) {
    contents.write_more = [&](const fs::path& into) {
      fs::create_directory(into / kAdapterFolder);
      const AdapterFiles adapter = step.adapter();
      write_adapter(adapter, into / kAdapterFolder, layout_, config_.model);
      const std::string note = whole_parts_note(config_, adapter);
      if (!note.empty()) write_file_atomically(into / kAdapterFolder / "README.md", note);
    };
  }
  return store_->save(contents);
}

void RunWriter::finish(const fs::path& checkpoint, const TrainerState& state) {
  store_->publish(checkpoint);
  mark_finished(folder_, state);
}

std::string whole_parts_note(const TrainConfig& config, const AdapterFiles& adapter) {
  std::set<Part> adapted;
  for (const auto& [name, tensor] : adapter.tensors) adapted.insert(part_of(name));
  std::vector<std::string> whole;
  for (const Part part : kParts) {
    if (learning_rate(config.lr, part) && !adapted.contains(part)) whole.emplace_back(part_name(part));
  }
  if (whole.empty()) return "";
  return fmt::format(
      "These adapters are a part of what was trained: {} trained whole beside them. On the base model alone "
      "they do "
      "not give the trained model; the checkpoint's folder above this one does, with the adapters merged "
      "in.\n",
      fmt::join(whole, " and "));
}

}  // namespace vl3::train
