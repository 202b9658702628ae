#include "engine/generate.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <chrono>

#include "core/check.h"
#include "sampling/sampler.h"
#include "sampling/stop.h"
#include "text/stream_decoder.h"

namespace vl3::engine {

// Moving a 2B model's weights takes as long as 50 tokens gain.
constexpr int64_t kTokensWorthPreparing = 64;

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

std::vector<int64_t> ending_tokens(const GenerationConfig& config, const weights::ModelConfig& model) {
  std::vector<int64_t> ids = config.stop_token_ids;
  if (!config.ignore_eos)
    ids.insert(ids.end(), model.generation.eos_token_id.begin(), model.generation.eos_token_id.end());
  return ids;
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

std::optional<sampling::Matcher> make_matcher(const Runtime& runtime, const GenerationConfig& config) {
  if (!config.json_schema.empty()) {
    return sampling::Matcher(runtime.constraint().compile_json_schema(config.json_schema));
  }
  if (config.json_object) return sampling::Matcher(runtime.constraint().compile_json_object());
  if (!config.regex.empty()) return sampling::Matcher(runtime.constraint().compile_regex(config.regex));
  return std::nullopt;
}

void validate(const GenerationConfig& config, const weights::ModelConfig& model) {
  VL3_CHECK(static_cast<int>(!config.json_schema.empty()) + static_cast<int>(config.json_object) +
                    static_cast<int>(!config.regex.empty()) <=
                1,
            kInvalidArgument, "json_schema, json_object and regex exclude one another: give one");
  sampling::validate(sampling_options(config, model));
  const sampling::StopCondition checks_its_options(stop_options(config, model));
}

GenerateResult generate(const Runtime& runtime, lm::KvCache& cache, const PrefillResult& prefilled,
                        const GenerationConfig& config, std::optional<sampling::Matcher> matcher,
                        const Callbacks& callbacks, std::vector<uint64_t>& keys) {
  const c10::InferenceMode inference;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  sampling::Sampler sampler(sampling_options(config, runtime.config));
  sampler.accept_prompt(prefilled.ids);
  sampling::StopCondition stop(stop_options(config, runtime.config));
  text::StreamDecoder decoder(runtime.tokenizer(), config.skip_special_tokens);
  const std::vector<int64_t> eos = ending_tokens(config, runtime.config);

  GenerateResult result;
  const auto say = [&](const std::string& text) {
    result.text += text;
    if (callbacks.on_text && !text.empty()) callbacks.on_text(text);
  };
  const auto finish = [&](sampling::FinishReason reason) {
    say(stop.finish(reason).text);
    result.finish_reason = sampling::finish_reason_name(reason);
  };
  at::Tensor hidden = prefilled.last_hidden_1D;
  if (config.max_tokens >= kTokensWorthPreparing) runtime.prepare_decoding();
  while (true) {
    if (callbacks.cancelled && callbacks.cancelled()) {
      finish(sampling::FinishReason::kCancelled);
      break;
    }
    at::Tensor logits = runtime.model->logits(hidden).to(at::kCPU).contiguous();
    const std::span<float> scores(logits.data_ptr<float>(), static_cast<size_t>(logits.numel()));
    stop.apply_min_tokens(scores);
    if (matcher) matcher->apply_mask(scores);
    const int64_t id = sampler.sample(scores);
    sampler.accept(id);
    if (matcher) VL3_CHECK(matcher->accept(id), kInternal, "token {} was drawn against the constraint", id);
    if (result.token_ids.empty()) result.first_token_seconds = seconds();
    result.token_ids.push_back(id);

    const bool ends = std::find(eos.begin(), eos.end(), id) != eos.end();
    const sampling::StopCondition::Step step = stop.push(id, ends ? decoder.finish() : decoder.push(id));
    say(step.text);
    if (step.finish) {
      result.finish_reason = sampling::finish_reason_name(*step.finish);
      break;
    }
    if (cache.length() + 1 >= runtime.config.text.max_position_embeddings) {
      finish(sampling::FinishReason::kLength);
      break;
    }
    const lm::Segment segment{0, 1, &cache};
    hidden = runtime.model->language_model->forward(
        runtime.model->language_model->embed(at::tensor({id}, at::kLong).to(runtime.device)), {&segment, 1});
    keys.push_back(static_cast<uint64_t>(id));
  }
  if (matcher) result.constraint_met = matcher->is_terminated() || matcher->is_complete();
  return result;
}

}  // namespace vl3::engine
