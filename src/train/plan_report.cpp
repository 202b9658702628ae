// The plan as JSON and as a table for people; samples counted without reading them.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "data/annotation_file.h"
#include "data/record_list.h"
#include "train/planner.h"

namespace vl3::train {
namespace {

namespace fs = std::filesystem;

double gib(uint64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024 * 1024); }

std::string count_text(double value) {
  if (value >= 1e9) return fmt::format("{:.2f}B", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f}M", value / 1e6);
  return value >= 1e4 ? fmt::format("{:.1f}k", value / 1e3) : fmt::format("{:.0f}", value);
}

std::string duration_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return seconds < 172800 ? fmt::format("{:.1f} h", seconds / 3600)
                          : fmt::format("{:.1f} days", seconds / 86400);
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
                      {"memory", memory}};
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
  text += fmt::format("  step: {}{} tokens, {:.3g} FLOP a token; steps: {}\n",
                      plan.step_tokens_known ? "" : "at most ", count_text(plan.step_tokens),
                      plan.flops_per_token, plan.steps ? std::to_string(*plan.steps) : "not known");
  text += fmt::format("  activations: {:.1f} GiB with checkpointing, {:.1f} GiB without\n",
                      gib(plan.activations_with_checkpointing), gib(plan.activations_without_checkpointing));
  text +=
      "  GiB per process (ZeRO-1)\n  processes  weights  gradients  masters  moments  activations  logits  "
      "total\n";
  for (const TrainMemory& one : plan.memory) {
    text += fmt::format("  {:>9}  {:>7.1f}  {:>9.1f}  {:>7.1f}  {:>7.1f}  {:>11.1f}  {:>6.1f}  {:>5.1f}\n",
                        one.processes, gib(one.weights), gib(one.gradients), gib(one.masters),
                        gib(one.moments), gib(one.activations), gib(one.logits), gib(one.total()));
  }
  if (plan.step_seconds) {
    text += fmt::format("  time: {}{} a step", plan.step_tokens_known ? "at least " : "about ",
                        duration_text(*plan.step_seconds));
    if (plan.run_seconds) text += fmt::format(", {} in all", duration_text(*plan.run_seconds));
    text += plan.step_tokens_known ? " (matrix products alone)\n"
                                   : " (matrix products alone, samples of full length)\n";
  }
  return text;
}

}  // namespace vl3::train
