// What a training recipe says, as plain structs: read from TOML by recipe.h, used by the trainer. Field names
// are the recipe's keys and, where there is one, the official script's flags (spec/training.md 9).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/data_config.h"

namespace vl3::train {

inline constexpr int64_t kMostRowTokens = 1 << 22;  ///< of one forward pass

/// Learning rate a part; a part without one is frozen: no gradient, no optimizer state.
struct LearningRates {
  std::optional<double> llm_lr;  ///< embeddings and output head included
  std::optional<double> mm_projector_lr;
  std::optional<double> vision_encoder_lr;
};

struct OptimizerConfig {
  std::string optimizer = "adamw";  ///< "adamw"; "muon" (matrices of the hidden layers; AdamW for the rest)
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  double weight_decay = 0.0;            ///< never on biases and norm weights
  std::optional<double> max_grad_norm;  ///< unset: no clipping
  std::string lr_scheduler_type =
      "cosine";                ///< "cosine", "linear", "constant", "wsd" (flat, then linear to 0)
  double warmup_ratio = 0.03;  ///< of the steps, rounded up
  double decay_ratio = 0.3;    ///< "wsd": of the steps, at the end
};

/// Low-rank adapters (PEFT's names). A part that the targets reach into trains its adapters only, at the
/// part's learning rate.
struct LoraConfig {
  int64_t r = 64;
  double lora_alpha = 16;
  double lora_dropout = 0.0;
  /// Names of linears; default: every linear of the decoder layers.
  std::vector<std::string> target_modules = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                             "gate_proj", "up_proj", "down_proj"};
};

using data::DataConfig;
using data::DataSource;

struct TrainConfig {
  std::string name;  ///< of the run; the next stage says it as its `model`
  /// "answers": the language model's loss; "patch_labels": the encoder's warm-up (patch_loss.h).
  std::string objective = "answers";
  int64_t stage = 0;   ///< 1 … 4 as in the paper; 0 = other
  std::string model;   ///< folder, hub name, or the name of an earlier run
  std::string output;  ///< folder of the run; default runs/NAME
  uint64_t seed = 42;

  int64_t global_batch_size = 128;             ///< samples an optimizer step, over all processes
  std::optional<int64_t> global_batch_tokens;  ///< instead: tokens an optimizer step
  std::optional<int64_t> max_steps;
  double num_train_epochs = 1.0;

  std::string dtype = "bfloat16";  ///< of compute: "bfloat16" (float32 masters) or "float32"
  std::string device = "auto";
  bool gradient_checkpointing = true;
  int64_t loss_vocab_tile = 8192;  ///< vocabulary rows of logits that exist at once

  LearningRates lr;
  OptimizerConfig optim;
  std::optional<LoraConfig> lora;
  DataConfig data;

  int64_t save_steps = 1000;
  int64_t save_total_limit = 2;
  int64_t logging_steps = 1;
  bool tensorboard = true;
};

}  // namespace vl3::train
