// The plan as JSON and as a table for people; samples counted without reading them.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "data/annotation_file.h"
#include "data/record_list.h"
#include "train/metrics.h"
#include "train/planner.h"

namespace vl3::train {
namespace {

namespace fs = std::filesystem;

// What numbers of bytes are said in: small models need no column of zeros.
struct Unit {
  const char* name;
  double bytes;
  std::string operator()(uint64_t value) const {
    return fmt::format("{:.1f}", static_cast<double>(value) / bytes);
  }
};

Unit unit_of(uint64_t bytes) {
  return bytes >= 1ull << 30 ? Unit{"GiB", 1024.0 * 1024 * 1024} : Unit{"MiB", 1024.0 * 1024};
}

std::string bytes_text(uint64_t bytes) {
  const Unit unit = unit_of(bytes);
  return unit(bytes) + " " + unit.name;
}

std::string count_text(double value) {
  if (value >= 1e9) return fmt::format("{:.2f}B", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f}M", value / 1e6);
  return value >= 1e4 ? fmt::format("{:.1f}k", value / 1e3) : fmt::format("{:.0f}", value);
}

}  // namespace

SampleCount count_samples(const DataConfig& config) {
  SampleCount count;
  double samples = 0;
  for (const DataSource& source : config.sources) {
    if (!source.synth.empty()) samples += source.weight * static_cast<double>(source.synth_samples);
    for (const std::string& pattern : source.data_path) {
      std::vector<fs::path> files = data::matching_files(pattern);
      std::erase_if(files, [](const fs::path& file) { return !fs::exists(file); });
      if (files.empty()) count.missing.push_back(pattern);
      for (const fs::path& file : files) {
        if (file.extension() != ".json" && file.extension() != ".jsonl") {
          count.uncounted.push_back(file.string());
          continue;
        }
        samples += source.weight * static_cast<double>(data::AnnotationFile(file).size());
      }
    }
  }
  count.samples = std::llround(samples);
  return count;
}

OrderedJson to_json(const TrainPlan& plan) {
  OrderedJson parts = OrderedJson::array(), memory = OrderedJson::array();
  for (const PartPlan& part : plan.parts) {
    parts.push_back({{"name", part.name},
                     {"tensors", part.tensors},
                     {"parameters", part.parameters},
                     {"trained", part.trained}});
  }
  for (const TrainMemory& one : plan.memory) {
    memory.push_back({{"processes", one.processes},
                      {"weights_bytes", one.weights},
                      {"gradients_bytes", one.gradients},
                      {"masters_bytes", one.masters},
                      {"moments_bytes", one.moments},
                      {"activations_bytes", one.activations},
                      {"logits_bytes", one.logits},
                      {"total_bytes", one.total()}});
  }
  OrderedJson json = {{"parts", parts},
                      {"trained_parameters", plan.trained_parameters},
                      {"frozen_parameters", plan.frozen_parameters},
                      {"row_tokens", plan.row_tokens},
                      {"row_visual_tokens", plan.row_visual_tokens},
                      {"row_patches", plan.row_patches},
                      {"step_tokens", plan.step_tokens},
                      {"step_tokens_known", plan.step_tokens_known},
                      {"activations_with_checkpointing_bytes", plan.activations_with_checkpointing},
                      {"activations_without_checkpointing_bytes", plan.activations_without_checkpointing},
                      {"flops_per_token", plan.flops_per_token},
                      {"memory", memory},
                      {"prefetch_bytes", plan.prefetch_bytes},
                      {"step_bytes", plan.step_bytes},
                      {"refusals", plan.refusals}};
  if (plan.means) {
    json["sample_means"] = {{"samples", plan.means->samples}, {"tokens", plan.means->tokens},
                            {"visual", plan.means->visual},   {"labelled", plan.means->labelled},
                            {"patches", plan.means->patches}, {"frame_patches", plan.means->frame_patches}};
  }
  if (plan.steps) json["steps"] = *plan.steps;
  if (plan.step_seconds) json["step_seconds"] = *plan.step_seconds;
  if (plan.run_seconds) json["run_seconds"] = *plan.run_seconds;
  return json;
}

std::string plan_text(const TrainPlan& plan) {
  std::string text;
  for (const PartPlan& part : plan.parts) {
    text +=
        fmt::format("  {:<15} {:>4} tensors {:>8} parameters  {}\n", part.name, part.tensors,
                    count_text(static_cast<double>(part.parameters)), part.trained ? "trained" : "frozen");
  }
  text += fmt::format("  row: at most {} tokens, {} of them visual from {} patches\n", plan.row_tokens,
                      plan.row_visual_tokens, plan.row_patches);
  if (plan.means) {
    text += fmt::format(
        "  sample: {:.0f} tokens, {:.0f} of them visual from {:.0f} patches, {:.0f} learned "
        "(mean of {})\n",
        plan.means->tokens, plan.means->visual, plan.means->patches, plan.means->labelled,
        plan.means->samples);
  }
  text += fmt::format("  step: {}{} tokens, {:.3g} FLOP a token; steps: {}\n",
                      plan.step_tokens_known ? "" : "at most ", count_text(plan.step_tokens),
                      plan.flops_per_token, plan.steps ? std::to_string(*plan.steps) : "not known");
  text += fmt::format("  activations: {} with checkpointing, {} without\n",
                      bytes_text(plan.activations_with_checkpointing),
                      bytes_text(plan.activations_without_checkpointing));
  const Unit unit = unit_of(plan.memory.front().total());
  text += fmt::format(
      "  {} per process (ZeRO-1)\n  processes  weights  gradients  masters  moments  activations  logits   "
      "total\n",
      unit.name);
  for (const TrainMemory& one : plan.memory) {
    text += fmt::format("  {:>9}  {:>7}  {:>9}  {:>7}  {:>7}  {:>11}  {:>6}  {:>6}\n", one.processes,
                        unit(one.weights), unit(one.gradients), unit(one.masters), unit(one.moments),
                        unit(one.activations), unit(one.logits), unit(one.total()));
  }
  text += fmt::format(
      "  and of main memory up to {} a process for samples that wait (data.prefetch_bytes, or one step), {} "
      "for a "
      "step's own\n",
      bytes_text(plan.prefetch_bytes),
      plan.step_bytes > 0 ? bytes_text(plan.step_bytes) : "as much as it has");
  if (plan.step_seconds) {
    text += fmt::format("  time: {}{} a step", plan.step_tokens_known ? "at least " : "about ",
                        duration_text(*plan.step_seconds));
    if (plan.run_seconds) text += fmt::format(", {} in all", duration_text(*plan.run_seconds));
    text += plan.step_tokens_known ? " (matrix products alone)\n"
                                   : " (matrix products alone, samples of full length)\n";
  }
  for (const std::string& refusal : plan.refusals) text += fmt::format("  would not begin: {}\n", refusal);
  return text;
}

}  // namespace vl3::train
