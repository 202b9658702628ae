// Every key of a recipe, once: its name, its member, what it may be, and whether it changes the numbers of a
// run. Reading, writing, comparing and the list of known keys are visitors of this one table. Internal to
// recipe*.cpp.
#pragma once

#include "core/recipe_rules.h"
#include "train/train_config.h"

namespace vl3::train {

using recipe::Effect;
using recipe::Flag;
using recipe::kBig;
using recipe::Range;
using recipe::Text;

template <typename Visitor>
void visit_source(Visitor& v, DataSource& source) {
  v.list("data_path", source.data_path, Text{});
  v.text("synth", source.synth, Text{});
  v.integer("synth_samples", source.synth_samples, Range{1, 1e12});
  v.text("data_folder", source.data_folder, Text{.effect = Effect::kHandling});
  v.text("format", source.format, Text{{"auto", "official", "messages", "webdataset"}});
  v.number("weight", source.weight, Range{0, 1000, false});
}

template <typename Visitor>
void visit_data(Visitor& v, DataConfig& data) {
  v.tables("sources", data.sources, [](Visitor& inner, DataSource& source) { visit_source(inner, source); });
  v.integer("image_merge_size", data.image_merge_size, Range{1, 16});
  v.integer("video_merge_size", data.video_merge_size, Range{1, 16});
  v.number("fps", data.fps, Range{0, 1000, false});
  v.integer("max_frames", data.max_frames, Range{1, 65536});
  v.integer("mm_max_length", data.mm_max_length, Range{1, kMostRowTokens});
  v.integer("model_max_length", data.model_max_length, Range{2, kMostRowTokens});
  v.text("over_length", data.over_length, Text{{"skip", "cut"}});
  v.flag("use_token_compression", data.use_token_compression, Flag{});
  v.number("prune_threshold", data.prune_threshold, Range{0, 1000});
  v.flag("balance_stream_labels", data.balance_stream_labels, Flag{});
  v.text("stream_rule", data.stream_rule, Text{{"next_message", "stream_end"}});
  v.flag("stream_newline", data.stream_newline, Flag{});
  v.text("packing", data.packing, Text{{"budget", "samples"}});
  v.integer("row_tokens", data.row_tokens, Range{2, kMostRowTokens});
  v.integer("row_samples", data.row_samples, Range{1, 1e6});
  v.integer("shuffle_window", data.shuffle_window, Range{1, 1e9});
  v.integer("dataloader_num_workers", data.dataloader_num_workers, Range{1, 1024, true, Effect::kHandling});
  v.integer("prefetch_bytes", data.prefetch_bytes, Range{1 << 20, kBig, true, Effect::kHandling});
  v.number("sample_timeout_s", data.sample_timeout_s, Range{0, 1e6, false, Effect::kHandling});
  v.number("max_bad_share", data.max_bad_share, Range{0, 1, true, Effect::kHandling});
}

template <typename Visitor>
void visit_optim(Visitor& v, OptimizerConfig& optim) {
  v.text("optimizer", optim.optimizer, Text{{"adamw", "muon"}});
  v.number("adam_beta1", optim.adam_beta1, Range{0, 0.999999});
  v.number("adam_beta2", optim.adam_beta2, Range{0, 0.99999999});
  v.number("adam_epsilon", optim.adam_epsilon, Range{0, 1, false});
  v.number("weight_decay", optim.weight_decay, Range{0, 100});
  v.number("max_grad_norm", optim.max_grad_norm, Range{0, 1e9, false});
  v.text("lr_scheduler_type", optim.lr_scheduler_type, Text{{"cosine", "linear", "constant", "wsd"}});
  v.number("warmup_ratio", optim.warmup_ratio, Range{0, 1});
  v.number("decay_ratio", optim.decay_ratio, Range{0, 1});
}

template <typename Visitor>
void visit_lora(Visitor& v, LoraConfig& lora) {
  v.integer("r", lora.r, Range{1, 65536});
  v.number("lora_alpha", lora.lora_alpha, Range{0, 1e6, false});
  v.number("lora_dropout", lora.lora_dropout, Range{0, 0.999});
  v.list("target_modules", lora.target_modules, Text{});
}

template <typename Visitor>
void visit_recipe(Visitor& v, TrainConfig& config) {
  v.text("name", config.name, Text{.effect = Effect::kHandling});
  v.integer("stage", config.stage, Range{0, 4, true, Effect::kHandling});
  v.text("objective", config.objective, Text{{"answers", "patch_labels"}});
  v.text("model", config.model, Text{});
  v.text("output", config.output, Text{.effect = Effect::kHandling});
  v.seed("seed", config.seed);
  v.integer("global_batch_size", config.global_batch_size, Range{1, 1e9});
  v.integer("global_batch_tokens", config.global_batch_tokens, Range{1, kBig});
  v.integer("max_steps", config.max_steps, Range{1, 1e12});
  v.number("num_train_epochs", config.num_train_epochs, Range{0, 1e6, false});
  v.text("dtype", config.dtype, Text{{"bfloat16", "float32"}});
  v.text("device", config.device, Text{.effect = Effect::kHandling});
  // Both change the order of sums, and so their last digits.
  v.flag("gradient_checkpointing", config.gradient_checkpointing, Flag{});
  v.integer("loss_vocab_tile", config.loss_vocab_tile, Range{1, 1 << 24});
  v.integer("save_steps", config.save_steps, Range{1, 1e12, true, Effect::kHandling});
  v.integer("save_total_limit", config.save_total_limit, Range{1, 1e6, true, Effect::kHandling});
  v.integer("logging_steps", config.logging_steps, Range{1, 1e12, true, Effect::kHandling});
  v.flag("tensorboard", config.tensorboard, Flag{Effect::kHandling});
  v.table("lr", config.lr, [](Visitor& inner, LearningRates& lr) {
    inner.number("llm_lr", lr.llm_lr, Range{0, 10, false});
    inner.number("mm_projector_lr", lr.mm_projector_lr, Range{0, 10, false});
    inner.number("vision_encoder_lr", lr.vision_encoder_lr, Range{0, 10, false});
  });
  v.table("optim", config.optim, [](Visitor& inner, OptimizerConfig& optim) { visit_optim(inner, optim); });
  v.optional_table("lora", config.lora, [](Visitor& inner, LoraConfig& lora) { visit_lora(inner, lora); });
  v.table("data", config.data, [](Visitor& inner, DataConfig& data) { visit_data(inner, data); });
}

}  // namespace vl3::train
