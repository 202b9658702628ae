#include "train/planner.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "train/lora_targets.h"
#include "weights/hf_names.h"

namespace vl3::train {
namespace {

constexpr uint64_t kFloat = 4;
constexpr int64_t kFramePatches = 1024;  // of an image or frame, for the encoder's attention: 448 x 448 pixels
constexpr int64_t kProcessCounts[] = {1, 2, 4, 8, 16, 32, 64};

int64_t product(const std::vector<int64_t>& shape) {
  int64_t out = 1;
  for (const int64_t dimension : shape) out *= dimension;
  return out;
}

bool in_vision(const std::string& name) { return name.starts_with("model.vision_model."); }
bool in_projector(const std::string& name) { return name.starts_with("model.projector."); }

// Muon takes the matrices of hidden layers; embeddings, head, norms and biases keep AdamW.
int64_t moments_of(const weights::ExpectedTensor& tensor, const OptimizerConfig& optim) {
  const bool matrix = tensor.shape.size() >= 2 && tensor.name.find("embed") == std::string::npos &&
                      !tensor.name.starts_with("lm_head");
  return product(tensor.shape) * (optim.optimizer == "muon" && matrix ? 1 : 2);
}

// What is trained of each part: all of it, or the adapters that reach into it.
struct Parts {
  Parts parts;
  parts.vision.trained = config.lr.vision_encoder_lr.has_value();
  parts.projector.trained = config.lr.mm_projector_lr.has_value();
  parts.llm.trained = config.lr.llm_lr.has_value();
  if (config.lora) add_adapters(config, model, &parts);
  for (const weights::ExpectedTensor& tensor : tensors) {
    PartPlan& part = parts.of(tensor.name);
    part.tensors += 1;
    part.parameters += product(tensor.shape);
    if (part.trained) part.moment_values += moments_of(tensor, config.optim);
  }
  plan.parts = {parts.vision, parts.projector, parts.llm};
  if (config.lora) plan.parts.push_back(parts.lora);

  int64_t all = 0, moments = 0;
  for (const PartPlan& part : plan.parts) {
    all += part.parameters;
    moments += part.moment_values;
    (part.trained ? plan.trained_parameters : plan.frozen_parameters) += part.parameters;
  }
  // A gradient reaches a part's inputs when anything in it trains, be it adapters.
  const Trains trains{.vision = config.lr.vision_encoder_lr.has_value(),
                      .vision_weights = parts.vision.trained,
                      .projector_weights = parts.projector.trained,
                      .llm_weights = parts.llm.trained,
                      .llm = config.lr.llm_lr.has_value()};
  const Row row = full_row(config.data);
  const uint64_t element = config.dtype == "float32" ? 4 : 2;
  plan.row_tokens = static_cast<int64_t>(row.tokens);
  plan.row_visual_tokens = static_cast<int64_t>(row.visual);
  plan.row_patches = static_cast<int64_t>(row.patches);
  plan.activations_with_checkpointing = activation_bytes(row, model, trains, true, element);
  plan.activations_without_checkpointing = activation_bytes(row, model, trains, false, element);

  TrainMemory whole;
  const auto trained = static_cast<uint64_t>(plan.trained_parameters);
  whole.weights = static_cast<uint64_t>(all) * element;
  whole.gradients = trained * kFloat;
  whole.masters = element == kFloat ? 0 : trained * kFloat;
  whole.moments = static_cast<uint64_t>(moments) * kFloat;
  whole.activations = config.gradient_checkpointing ? plan.activations_with_checkpointing : plan.activations_without_checkpointing;
  const int64_t tile = std::min(config.loss_vocab_tile, model.text.vocab_size);
  whole.logits = 2 * kFloat * static_cast<uint64_t>(row.labelled) * static_cast<uint64_t>(tile);
  for (const int64_t processes : kProcessCounts) {
    TrainMemory one = whole;
    const auto n = static_cast<uint64_t>(processes);
    one.processes = processes;
    // Sums over processes arrive in a part of its own.
    if (processes > 1) one.gradients += (whole.gradients + n - 1) / n;
    one.masters = (whole.masters + n - 1) / n;
    one.moments = (whole.moments + n - 1) / n;
    plan.memory.push_back(one);
  }
  plan.flops_per_token = row_flops(row, tensors, model, config, trains) / row.tokens;
  plan_time(config, inputs, &plan);
  return plan;
}

}  // namespace vl3::train
