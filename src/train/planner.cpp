#include "train/planner.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "train/learning_rate.h"
#include "train/lora_targets.h"
#include "train/parts.h"
#include "weights/hf_names.h"

namespace vl3::train {
namespace {

constexpr uint64_t kFloat = 4;
constexpr double kFramePatches = 1024;  // of an image or frame where that is not known: 448 x 448 pixels
constexpr int64_t kProcessCounts[] = {1, 2, 4, 8, 16, 32, 64};

int64_t moments_of(const weights::ExpectedTensor& tensor, const OptimizerConfig& optim) {
  return numel(tensor.shape) *
         (optim.optimizer == "muon" && is_hidden_matrix(tensor.name, tensor.shape) ? 1 : 2);
}

// What is trained of each part: all of it, or the adapters that reach into it.
struct Parts {
  PartPlan vision{.name = "vision_encoder"};
  PartPlan projector{.name = "mm_projector"};
  PartPlan llm{.name = "llm"};
  PartPlan lora{.name = "lora", .trained = true};
  PartPlan& of(const std::string& tensor) {
    const Part part = part_of(tensor);
    return part == Part::kVisionEncoder ? vision : part == Part::kMmProjector ? projector : llm;
  }
};

void add_adapters(const TrainConfig& config, const weights::ModelConfig& model, Parts* parts) {
  for (const weights::ExpectedTensor& linear : lora_linears(*config.lora, model)) {
    PartPlan& part = parts->of(linear.name);
    VL3_CHECK(
        learning_rate(config.lr, part_of(linear.name)).has_value(), kInvalidArgument,
        "lora.target_modules reach into {} ({}), but lr.{}_lr is not set: it is the adapters' learning rate",
        part.name, linear.name, part.name);
    part.trained = false;
    parts->lora.tensors += 2;
    parts->lora.parameters += config.lora->r * (linear.shape[0] + linear.shape[1]);
  }
  parts->lora.moment_values = 2 * parts->lora.parameters;
}

// A row, or a sample, and what the numbers of one forward pass depend on.
struct Row {
  double tokens, visual, patches, labelled;
  double sample_tokens, frame_patches;  // that see each other
};

Row full_row(const DataConfig& data) {
  Row row{};
  row.tokens = static_cast<double>(data.packing == "budget" ? data.row_tokens
                                                            : data.row_samples * data.model_max_length);
  // As its longest sample: mm_max_length of model_max_length tokens are visual, the rest text that may all be
  // learned.
  row.visual = std::floor(row.tokens * static_cast<double>(data.mm_max_length) /
                          static_cast<double>(data.model_max_length));
  const double merge = static_cast<double>(std::max(data.image_merge_size, data.video_merge_size));
  row.patches = row.visual * merge * merge;
  row.labelled = row.tokens - row.visual;
  row.sample_tokens = static_cast<double>(data.model_max_length);
  row.frame_patches = kFramePatches;
  return row;
}

Row mean_sample(const SampleMeans& means) {
  return {.tokens = means.tokens,
          .visual = means.visual,
          .patches = means.patches,
          .labelled = means.labelled,
          .sample_tokens = means.tokens,
          .frame_patches = means.frame_patches};
}

// Values kept for the backward pass by a decoder layer, a token (attention recomputes its scores).
double decoder_values(const weights::TextConfig& text, bool trained) {
  const double heads =
      static_cast<double>((text.num_attention_heads + text.num_key_value_heads) * 2 * text.head_dim);
  const auto hidden = static_cast<double>(text.hidden_size),
             inner = static_cast<double>(text.intermediate_size);
  // Norm inputs, q, k, v, attention's result, gate, up and silu(gate); a trained linear also keeps its own
  // input.
  return 2 * hidden + heads + 3 * inner + (trained ? 2 * hidden + inner : 0);
}

double encoder_values(const weights::VisionConfig& vision) {
  return 8.0 * static_cast<double>(vision.hidden_size) + 2.0 * static_cast<double>(vision.intermediate_size);
}

// Which parts have anything to train, and which train their own weights (not only adapters).
struct Trains {
  bool vision, vision_weights, projector_weights, llm_weights, llm;
};

uint64_t activation_bytes(const Row& row, const weights::ModelConfig& model, const Trains& trains,
                          bool checkpointing, uint64_t element) {
  const auto hidden = static_cast<double>(model.text.hidden_size),
             width = static_cast<double>(model.vision.hidden_size);
  const auto layers = static_cast<double>(model.text.num_hidden_layers);
  const auto blocks = static_cast<double>(model.vision.num_hidden_layers);
  const double decoder = decoder_values(model.text, trains.llm), encoder = encoder_values(model.vision);
  double values = row.tokens * 2 * hidden;  // embeddings, last norm
  values += row.tokens * (checkpointing ? layers * hidden + decoder : layers * decoder);
  values += row.visual * (width + 3 * hidden);  // projector
  // A frozen encoder keeps nothing; one block's values exist while it runs.
  if (!trains.vision) {
    values += row.patches * encoder;
  } else {
    values += row.patches * (checkpointing ? blocks * width + encoder : blocks * encoder);
  }
  return static_cast<uint64_t>(values) * element;
}

// Parameters of linears (and of the convolution), which is what a token is multiplied with.
double linear_parameters(const std::vector<weights::ExpectedTensor>& tensors, Part part) {
  double sum = 0;
  for (const weights::ExpectedTensor& tensor : tensors) {
    if (tensor.shape.size() >= 2 && !is_table(tensor.name) && part_of(tensor.name) == part)
      sum += static_cast<double>(numel(tensor.shape));
  }
  return sum;
}

double row_flops(const Row& row, const std::vector<weights::ExpectedTensor>& tensors,
                 const weights::ModelConfig& model, const TrainConfig& config, const Trains& trains) {
  const weights::TextConfig& text = model.text;
  const double again = config.gradient_checkpointing ? 1 : 0;
  // Times a forward pass: itself, gradients of inputs (where something before trains), of weights,
  // recomputation.
  const double vision = trains.vision ? 2 + (trains.vision_weights ? 1 : 0) + again : 1;
  const double projector = 1 + (trains.vision ? 1 : 0) + (trains.projector_weights ? 1 : 0);
  const double decoder = 2 + (trains.llm_weights ? 1 : 0) + again;
  const double head =
      2 + (trains.llm_weights ? 1 : 0) + 1;  // tiles of logits are computed again for their gradient

  const double vision_attention =
      4.0 * static_cast<double>(model.vision.num_hidden_layers * model.vision.hidden_size) *
      row.frame_patches;
  const double text_attention =
      2.0 * static_cast<double>(text.num_hidden_layers * text.num_attention_heads * text.head_dim) *
      row.sample_tokens;  // half the keys: causal
  double flops =
      row.patches * (2 * linear_parameters(tensors, Part::kVisionEncoder) + vision_attention) * vision;
  if (config.objective == "patch_labels") return flops;  // nothing else runs
  flops += row.visual * 2 * linear_parameters(tensors, Part::kMmProjector) * projector;
  flops += row.tokens * (2 * linear_parameters(tensors, Part::kLlm) + text_attention) * decoder;
  flops += row.labelled * 2 * static_cast<double>(text.vocab_size * text.hidden_size) * head;
  return flops;
}

// Fills in the parts and their parameters.
Trains plan_parts(const TrainConfig& config, const weights::ModelConfig& model,
                  const std::vector<weights::ExpectedTensor>& tensors, TrainPlan* plan) {
  Parts parts;
  parts.vision.trained = config.lr.vision_encoder_lr.has_value();
  parts.projector.trained = config.lr.mm_projector_lr.has_value();
  parts.llm.trained = config.lr.llm_lr.has_value();
  if (config.lora) add_adapters(config, model, &parts);
  for (const weights::ExpectedTensor& tensor : tensors) {
    PartPlan& part = parts.of(tensor.name);
    part.tensors += 1;
    part.parameters += numel(tensor.shape);
    if (part.trained) part.moment_values += moments_of(tensor, config.optim);
  }
  plan->parts = {parts.vision, parts.projector, parts.llm};
  if (config.lora) plan->parts.push_back(parts.lora);
  for (const PartPlan& part : plan->parts)
    (part.trained ? plan->trained_parameters : plan->frozen_parameters) += part.parameters;
  // A gradient reaches a part's inputs when anything in it trains, be it adapters.
  return {.vision = config.lr.vision_encoder_lr.has_value(),
          .vision_weights = parts.vision.trained,
          .projector_weights = parts.projector.trained,
          .llm_weights = parts.llm.trained,
          .llm = config.lr.llm_lr.has_value()};
}

// Needs the parts and the activations.
void plan_memory(const TrainConfig& config, const weights::ModelConfig& model, const Row& row,
                 uint64_t element, TrainPlan* plan) {
  int64_t moments = 0;
  for (const PartPlan& part : plan->parts) moments += part.moment_values;
  TrainMemory whole;
  const auto trained = static_cast<uint64_t>(plan->trained_parameters);
  whole.weights = (trained + static_cast<uint64_t>(plan->frozen_parameters)) * element;
  whole.gradients = trained * kFloat;
  whole.masters = element == kFloat ? 0 : trained * kFloat;
  whole.moments = static_cast<uint64_t>(moments) * kFloat;
  whole.activations = config.gradient_checkpointing ? plan->activations_with_checkpointing
                                                    : plan->activations_without_checkpointing;
  const int64_t tile = std::min(config.loss_vocab_tile, model.text.vocab_size);
  whole.logits = 2 * kFloat * static_cast<uint64_t>(row.labelled) * static_cast<uint64_t>(tile);
  for (const int64_t processes : kProcessCounts) {
    TrainMemory one = whole;
    const auto n = static_cast<uint64_t>(processes);
    one.processes = processes;
    one.masters = (whole.masters + n - 1) / n;
    one.moments = (whole.moments + n - 1) / n;
    plan->memory.push_back(one);
  }
}

// Samples wait as the encoder's patches, a byte a value.
void plan_samples(const TrainConfig& config, const weights::ModelConfig& model, const PlanInputs& inputs,
                  TrainPlan* plan) {
  if (inputs.means) {
    const double samples = plan->step_tokens / inputs.means->tokens / static_cast<double>(inputs.processes);
    const auto patch_bytes = static_cast<double>(3 * model.vision.patch_size * model.vision.patch_size);
    plan->step_bytes = static_cast<uint64_t>(samples * inputs.means->patches * patch_bytes);
  }
  plan->prefetch_bytes = std::max(static_cast<uint64_t>(config.data.prefetch_bytes), plan->step_bytes);
}

void plan_time(const TrainConfig& config, const PlanInputs& inputs, TrainPlan* plan) {
  const auto longest = static_cast<double>(config.data.model_max_length);
  const double measured = inputs.means ? inputs.means->tokens : longest;
  const double mean = std::min(inputs.mean_sample_tokens.value_or(measured), longest);
  plan->means = inputs.means;
  plan->step_tokens_known = config.global_batch_tokens || inputs.mean_sample_tokens || inputs.means;
  plan->step_tokens = config.global_batch_tokens ? static_cast<double>(*config.global_batch_tokens)
                                                 : static_cast<double>(config.global_batch_size) * mean;
  if (inputs.samples) {
    const double batch =
        config.global_batch_tokens ? plan->step_tokens / mean : static_cast<double>(config.global_batch_size);
    plan->steps = static_cast<int64_t>(
        std::ceil(static_cast<double>(*inputs.samples) * config.num_train_epochs / batch));
  }
  if (config.max_steps) plan->steps = *config.max_steps;
  try {
    if (inputs.samples) check_batch(config, *inputs.samples);
    if (plan->steps && *plan->steps > 0) LrSchedule(config.optim, *plan->steps).check_trains();
  } catch (const Error& error) {
    plan->refusals.emplace_back(error.what());
  }
  if (!inputs.flops_per_s || *inputs.flops_per_s <= 0) return;
  plan->step_seconds = plan->step_tokens * plan->flops_per_token /
                       (*inputs.flops_per_s * static_cast<double>(inputs.processes));
  if (plan->steps) plan->run_seconds = *plan->step_seconds * static_cast<double>(*plan->steps);
}

}  // namespace

void check_batch(const TrainConfig& config, int64_t records_per_epoch) {
  VL3_CHECK(config.global_batch_tokens || config.global_batch_size <= records_per_epoch, kInvalidArgument,
            "global_batch_size {} is more than the {} records of an epoch; lower it, or give more data",
            config.global_batch_size, records_per_epoch);
}

TrainPlan make_train_plan(const TrainConfig& config, const weights::ModelConfig& model,
                          const PlanInputs& inputs) {
  const std::vector<weights::ExpectedTensor> tensors = weights::expected_tensors(model);
  TrainPlan plan;
  const Trains trains = plan_parts(config, model, tensors, &plan);
  const Row row = full_row(config.data);
  const uint64_t element = config.dtype == "float32" ? 4 : 2;
  plan.row_tokens = static_cast<int64_t>(row.tokens);
  plan.row_visual_tokens = static_cast<int64_t>(row.visual);
  plan.row_patches = static_cast<int64_t>(row.patches);
  plan.activations_with_checkpointing = activation_bytes(row, model, trains, true, element);
  plan.activations_without_checkpointing = activation_bytes(row, model, trains, false, element);
  plan_memory(config, model, row, element, &plan);
  const Row worked = inputs.means ? mean_sample(*inputs.means) : row;
  plan.flops_per_token = row_flops(worked, tensors, model, config, trains) / worked.tokens;
  plan_time(config, inputs, &plan);
  plan_samples(config, model, inputs, &plan);
  return plan;
}

}  // namespace vl3::train
