#include "engine/token_chooser.h"

#include <algorithm>

#include "core/check.h"

namespace vl3::engine {
namespace {

// The model's end-of-sequence tokens unless ignored, and config.stop_token_ids.
std::vector<int64_t> ending_tokens(const GenerationConfig& config, const weights::ModelConfig& model) {
  std::vector<int64_t> ids = config.stop_token_ids;
  if (!config.ignore_eos)
    ids.insert(ids.end(), model.generation.eos_token_id.begin(), model.generation.eos_token_id.end());
  return ids;
}

}  // namespace

sampling::SamplingOptions sampling_options(const GenerationConfig& config,
                                           const weights::ModelConfig& model) {
  const weights::GenerationDefaults& defaults = model.generation;
  sampling::SamplingOptions options;
  options.temperature = config.temperature.value_or(defaults.do_sample ? defaults.temperature : 0.0);
  options.top_p = config.top_p.value_or(defaults.top_p);
  options.top_k = config.top_k.value_or(defaults.top_k);
  options.min_p = config.min_p.value_or(defaults.min_p);
  options.repetition_penalty = config.repetition_penalty.value_or(defaults.repetition_penalty);
  options.penalise_prompt = config.penalise_prompt.value_or(model.preprocess.flow == Flow::kNative);
  options.frequency_penalty = config.frequency_penalty;
  options.presence_penalty = config.presence_penalty;
  options.logit_bias = config.logit_bias;
  options.seed = config.seed;
  return options;
}

sampling::StopOptions stop_options(const GenerationConfig& config, const weights::ModelConfig& model) {
  sampling::StopOptions options;
  options.eos_token_ids = ending_tokens(config, model);
  options.stop = config.stop;
  options.max_tokens = config.max_tokens;
  options.min_tokens = config.min_tokens;
  options.loop_guard.enabled = config.loop_guard;
  return options;
}

TokenChooser::TokenChooser(const GenerationConfig& config, const weights::ModelConfig& model,
                           const text::Tokenizer& tokenizer, std::optional<sampling::Matcher> matcher)
    : matcher_(std::move(matcher)),
      sampler_(sampling_options(config, model)),
      stop_(stop_options(config, model)),
      decoder_(tokenizer, config.skip_special_tokens),
      ending_(ending_tokens(config, model)) {}

TokenChooser::Choice TokenChooser::choose(std::span<float> logits) {
  stop_.apply_min_tokens(logits);
  if (matcher_) matcher_->apply_mask(logits);
  Choice choice;
  choice.id = sampler_.sample(logits);
  sampler_.accept(choice.id);
  if (matcher_)
    VL3_CHECK(matcher_->accept(choice.id), kInternal, "token {} was drawn against the constraint", choice.id);
  choice.ends = std::find(ending_.begin(), ending_.end(), choice.id) != ending_.end();
  choice.step = stop_.push(choice.id, choice.ends ? decoder_.finish() : decoder_.push(choice.id));
  // An answer may be cut inside a character; behind a stop string nothing is said.
  if (choice.step.finish && *choice.step.finish != sampling::FinishReason::kStop)
    choice.step.text += decoder_.finish();
  return choice;
}

std::string TokenChooser::finish(sampling::FinishReason reason) {
  return stop_.finished() ? "" : stop_.finish(reason).text + decoder_.finish();
}

}  // namespace vl3::engine
